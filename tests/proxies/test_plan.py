import weakref
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from placement_search.proxies.factors import GradientFactors
from placement_search.proxies.gradients import parted_map
from placement_search.proxies.plan import MAX_DIRECTIONS, N_SAMPLED, MapPlan, map_plan

GIB = 1024**3


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that live at once, and remembers the most."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._holders: Counter[int] = Counter()

    def __torch_dispatch__(
        self,
        func: Any,
        _types: Any,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> Any:
        """Run the operation and take note of what it gives."""
        given = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(given):
            if isinstance(leaf, Tensor):
                self._hold(leaf)
        self.most = max(self.most, self.now)
        return given

    def _hold(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        address, n_bytes = storage.data_ptr(), storage.nbytes()
        self.now += 0 if self._holders[address] else n_bytes
        self._holders[address] += 1
        weakref.finalize(tensor, self._release, address, n_bytes)

    def _release(self, address: int, n_bytes: int) -> None:
        self._holders[address] -= 1
        self.now -= 0 if self._holders[address] else n_bytes


class MadeUpStream:
    """Factors of random examples that are made when they are asked for."""

    def __init__(self, plan: MapPlan) -> None:
        self._plan = plan

    def __iter__(self) -> Iterator[GradientFactors]:
        """The factors of each batch in turn."""
        plan = self._plan
        shape = plan.n_nodes, plan.batch_size, plan.n_tokens, plan.width
        for part in range(plan.n_examples // plan.batch_size):
            yield GradientFactors(torch.randn(shape), torch.randn(shape), part)


@pytest.mark.parametrize("n_sampled", [0, 3])
@pytest.mark.parametrize(
    ("n_directions", "n_tokens"), [(200, 10), (32, 10), (32, 100), (96, 40), (150, 2)]
)
def test_the_map_takes_no_more_memory_than_planned(
    n_directions: int, n_tokens: int, n_sampled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is the largest part, with copies and decompositions; two batches are streamed."""
    # Operations of other threads are not counted.
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    plan = MapPlan(7, 200, 8, n_tokens, n_directions, 4, memory_limit=0, n_sampled=n_sampled)
    with LiveBytes() as live:
        directions = None if plan.is_exact else n_directions
        parted_map(MadeUpStream(plan), directions, plan.sampled)

    assert live.most <= plan.working_bytes
    # The plan is a bound, and not a loose one.
    assert live.most >= 0.3 * plan.working_bytes


@pytest.mark.parametrize(
    ("n_nodes", "width", "n_tokens"),
    [(25, 64, 17), (13, 384, 64), (25, 768, 512), (81, 1408, 257), (65, 4096, 128), (81, 384, 32)],
)
def test_every_size_of_model_stays_within_the_limit(
    n_nodes: int, width: int, n_tokens: int
) -> None:
    """From the embedded backbone to one of 40 blocks and 6,561 connections, and wider ones."""
    plan = map_plan(n_nodes, width, 256, n_tokens, 2 * GIB, min(N_SAMPLED, n_nodes))

    assert plan.working_bytes <= 2 * GIB
    assert 1 <= plan.n_directions <= min(width, MAX_DIRECTIONS)


@pytest.mark.parametrize(("n_nodes", "width"), [(25, 64), (13, 128), (49, 96), (81, 128)])
def test_narrow_models_are_exact(n_nodes: int, width: int) -> None:
    """Nothing is discarded where all of it fits."""
    assert map_plan(n_nodes, width, 256, 64, 2 * GIB, N_SAMPLED).is_exact


@pytest.mark.parametrize(
    ("n_nodes", "width", "n_directions"), [(13, 384, 192), (25, 192, 96), (25, 768, MAX_DIRECTIONS)]
)
def test_wider_models_keep_half_of_their_directions(
    n_nodes: int, width: int, n_directions: int
) -> None:
    """Twice the width costs the same per token and connection, up to the most directions."""
    assert map_plan(n_nodes, width, 256, 32, 2 * GIB).n_directions == n_directions


def test_models_of_many_connections_keep_fewer_directions() -> None:
    """As many as memory holds for all 6,561 connections at once."""
    assert 128 <= map_plan(81, 1408, 256, 32, 2 * GIB).n_directions < MAX_DIRECTIONS


def test_the_factors_of_a_base_model_are_kept() -> None:
    """256 texts of 32 tokens need no second pass through BERT-base."""
    plan = map_plan(25, 768, 256, 32, 2 * GIB, N_SAMPLED)

    assert plan.keeps_factors
    assert plan.working_bytes + plan.factor_bytes <= 2 * GIB


def test_a_plan_always_allows_something() -> None:
    """One example and one direction, even where the limit is too low for them."""
    plan = map_plan(25, 768, 256, 512, 1024)

    assert (plan.batch_size, plan.n_directions) == (1, 1)


@pytest.mark.parametrize(("n_nodes", "n_sampled"), [(25, 8), (7, 7), (4, 4), (81, 8), (25, 1)])
def test_sampled_sources_are_spread_over_all_nodes(n_nodes: int, n_sampled: int) -> None:
    """Each of them once, ascending, from the first to the last."""
    sampled = MapPlan(n_nodes, 8, 4, 2, 8, 2, 0, n_sampled).sampled

    assert len(set(sampled)) == n_sampled
    assert list(sampled) == sorted(sampled)
    assert sampled[0] == 0
    assert sampled[-1] == (n_nodes - 1 if n_sampled > 1 else 0)
