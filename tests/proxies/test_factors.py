import dataclasses
import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from placement_search.adapted.batches import take
from placement_search.adapted.model import AdaptedBackbone
from placement_search.backbones.loading import Backbone, fingerprint
from placement_search.layout import Connection, FirstPass, Kind, Layout, kind_of, make_module
from placement_search.modules import MODULE_TYPES
from placement_search.modules.contract import StateModule
from placement_search.proxies.factors import FactorStream, GradientFactors
from placement_search.proxies.gradients import gradient_map, plan_of, planned_map
from tests.tiny_backbones import tiny_bert, tiny_vit

N_EXAMPLES, N_CLASSES = 5, 3
LABELS = torch.tensor([0, 1, 2, 1, 0])
MODULE = make_module(MODULE_TYPES, "bottleneck", {}, "a test")

Inputs = dict[str, Tensor]


class ZeroMap(StateModule):
    """A zero-initialised linear map of the normed state: what the proxies imagine."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width, width, dtype=torch.float64))

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """The addition, zero at the start."""
        del mask
        return functional.layer_norm(states, states.shape[-1:]) @ self.weight


@pytest.fixture(scope="module", params=[tiny_vit, tiny_bert])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    """A pre-norm and a post-norm backbone in float64, where rounding cannot hide a mistake."""
    make: Callable[[], Backbone] = request.param
    made = make()
    made.graph.model.double()
    return made


@pytest.fixture(scope="module")
def inputs(backbone: Backbone) -> Inputs:
    """Five examples; texts are padded to different lengths."""
    made = backbone.made_up_inputs(N_EXAMPLES, seed=1)
    if "attention_mask" in made:
        lengths = torch.tensor([16, 9, 4, 12, 16])
        made["attention_mask"] = (torch.arange(16) < lengths[:, None]).long()
    return {name: t.double() if t.is_floating_point() else t for name, t in made.items()}


@pytest.fixture(scope="module")
def head(backbone: Backbone) -> nn.Linear:
    """A head that is not zero, as a probe leaves it."""
    made = nn.Linear(backbone.width, N_CLASSES).double()
    nn.init.normal_(made.weight, generator=torch.Generator().manual_seed(2))
    return made


@pytest.fixture(scope="module")
def factors(backbone: Backbone, head: nn.Linear, inputs: Inputs) -> GradientFactors:
    """The factors of all five examples in one batch."""
    return factors_of(backbone, head, inputs, LABELS)


def stream_of(
    backbone: Backbone, head: nn.Linear, inputs: Inputs, labels: Tensor, batch_size: int = 128
) -> FactorStream:
    """Factors for the mean cross-entropy of ``head`` on the family's own feature."""

    def loss(features: Tensor, indices: Tensor) -> Tensor:
        return functional.cross_entropy(head(features), labels[indices], reduction="sum")

    return FactorStream(backbone, loss, backbone.poolings[0], inputs, batch_size)


def factors_of(
    backbone: Backbone, head: nn.Linear, inputs: Inputs, labels: Tensor
) -> GradientFactors:
    """The same in one batch."""
    (only,) = stream_of(backbone, head, inputs, labels)
    return only


def formula(factors: GradientFactors, source: int, target: int) -> Tensor:
    """``Σ f(h_i)ᵀ δ_j`` over all tokens of all examples."""
    return factors.reads[source].flatten(0, 1).T @ factors.deltas[target].flatten(0, 1)


def trained_gradient(
    backbone: Backbone, head: nn.Linear, inputs: Inputs, ends: tuple[int, int], first: FirstPass
) -> Tensor:
    """What autograd gives for a zero map attached by the product itself."""
    layout = Layout((Connection(*ends, MODULE),), first)
    adapted = AdaptedBackbone(backbone, layout, N_CLASSES)
    zero_map = ZeroMap(backbone.width)
    adapted.adapters = nn.ModuleList([zero_map])
    adapted.head = head
    loss = functional.cross_entropy(adapted(inputs), LABELS)
    return torch.autograd.grad(loss, zero_map.weight)[0]


@pytest.mark.parametrize("first_pass", FirstPass)
@pytest.mark.parametrize("kind", Kind)
def test_the_formula_is_the_gradient_that_training_would_see(
    kind: Kind,
    first_pass: FirstPass,
    backbone: Backbone,
    head: nn.Linear,
    inputs: Inputs,
    factors: GradientFactors,
) -> None:
    """One forward and one backward pass give the gradients of all connections, of every kind."""
    nodes = range(backbone.n_nodes)
    for ends in ((s, t) for s in nodes for t in nodes if kind_of(s, t) is kind):
        real = trained_gradient(backbone, head, inputs, ends, first_pass)

        # Float64 through three blocks; a wrong node differs in the first digit.
        torch.testing.assert_close(formula(factors, *ends), real, rtol=1e-8, atol=1e-12)


def test_singular_values_are_those_of_the_gradients(factors: GradientFactors) -> None:
    """For every source and target, in this order of axes, the largest first."""
    made = gradient_map([factors])
    nodes = range(len(factors.reads))
    expected = torch.stack(
        [torch.stack([torch.linalg.svdvals(formula(factors, s, t)) for t in nodes]) for s in nodes]
    )

    # Zero singular values come out as noise relative to the largest, about 1e-15 of it.
    torch.testing.assert_close(made.singular_values, expected, rtol=1e-9, atol=1e-12)


def test_example_energies_are_those_of_each_examples_own_loss(
    backbone: Backbone, head: nn.Linear, inputs: Inputs, factors: GradientFactors
) -> None:
    """The Gram matrices give the mean of ``‖g‖²`` without any gradient being formed."""
    nodes = range(backbone.n_nodes)
    expected = torch.zeros(len(nodes), len(nodes), dtype=torch.float64)
    for index in range(N_EXAMPLES):
        one = torch.tensor([index])
        own = factors_of(backbone, head, take(inputs, one), LABELS[one])
        for source, target in itertools.product(nodes, repeat=2):
            expected[source, target] += formula(own, source, target).square().sum() / N_EXAMPLES

    # Float64, two ways of summing.
    torch.testing.assert_close(
        gradient_map([factors]).example_energies, expected, rtol=1e-8, atol=0
    )


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_splitting_into_batches_changes_nothing(
    batch_size: int, backbone: Backbone, head: nn.Linear, inputs: Inputs, factors: GradientFactors
) -> None:
    """Batches of any size, equal or not, give the gradients of the one mean loss."""
    split = gradient_map(stream_of(backbone, head, inputs, LABELS, batch_size))
    whole = gradient_map([factors])

    # Float64; matrix products of other shapes may add in another order.
    torch.testing.assert_close(split.singular_values, whole.singular_values, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(split.example_energies, whole.example_energies, rtol=1e-9, atol=0)


def test_texts_of_like_length_share_a_batch() -> None:
    """So a batch is no longer than its own longest text, and padding costs little."""
    backbone = tiny_bert()
    made = backbone.made_up_inputs(N_EXAMPLES, seed=1)
    lengths = torch.tensor([16, 9, 4, 12, 16])
    made["attention_mask"] = (torch.arange(16) < lengths[:, None]).long()
    head = nn.Linear(backbone.width, N_CLASSES)
    tokens = [chunk.reads.shape[2] for chunk in stream_of(backbone, head, made, LABELS, 2)]

    assert tokens == [9, 16, 16]


def test_a_zero_head_gives_no_gradient(backbone: Backbone, inputs: Inputs) -> None:
    """That is why a probe comes first."""
    zero = nn.Linear(backbone.width, N_CLASSES).double()
    nn.init.zeros_(zero.weight)

    assert not factors_of(backbone, zero, inputs, LABELS).deltas.any()


def test_padded_tokens_change_nothing() -> None:
    """Padding texts further leaves every gradient as it was."""
    backbone = tiny_bert()
    backbone.graph.model.double()
    head = nn.Linear(backbone.width, N_CLASSES).double()
    short = backbone.made_up_inputs(N_EXAMPLES, seed=1)
    padded = {name: functional.pad(tensor, (0, 4)) for name, tensor in short.items()}
    made, again = (
        gradient_map([factors_of(backbone, head, given, LABELS)]) for given in (short, padded)
    )

    # Masked attention weights are exactly zero; sums of float64 take another order.
    torch.testing.assert_close(made.singular_values, again.singular_values, rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(made.example_energies, again.example_energies, rtol=1e-8, atol=1e-12)


def condition(backbone: Backbone, head: nn.Linear) -> dict[str, object]:
    """All that a borrower has to give back as it was."""
    model = backbone.graph.model
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    parameters = [*model.parameters(), *head.parameters()]
    return {
        "weights": (fingerprint(model.state_dict()), fingerprint(head.state_dict())),
        "hooks": sum(hooks),
        "replaced": [name for name, m in model.named_modules() if "forward" in vars(m)],
        "modes": [module.training for module in model.modules()],
        "requires_grad": [parameter.requires_grad for parameter in parameters],
        "gradients": [parameter.grad for parameter in parameters],
        "random state": torch.random.get_rng_state().tolist(),
    }


def test_backbone_head_and_random_state_are_left_as_they_were(
    backbone: Backbone, head: nn.Linear, inputs: Inputs
) -> None:
    """Weights bit by bit, no hooks, no gradients, the same modes."""
    before = condition(backbone, head)
    gradient_map([factors_of(backbone, head, inputs, LABELS)])

    assert condition(backbone, head) == before
    assert before["hooks"] == 0


def test_an_error_leaves_no_trace_either(
    backbone: Backbone, head: nn.Linear, inputs: Inputs
) -> None:
    """A label that the head does not have fails in the middle of a pass."""
    before = condition(backbone, head)
    with pytest.raises(IndexError):
        factors_of(backbone, head, inputs, torch.full((N_EXAMPLES,), N_CLASSES))

    assert condition(backbone, head) == before


def test_it_works_where_gradients_are_switched_off(
    backbone: Backbone, head: nn.Linear, inputs: Inputs, factors: GradientFactors
) -> None:
    """A caller's ``no_grad`` must not turn every score into zero."""
    with torch.no_grad():
        again = factors_of(backbone, head, inputs, LABELS)

    assert torch.equal(again.deltas, factors.deltas)


@pytest.mark.parametrize("memory_limit", [10**4, 10**5, 10**9])
def test_memory_decides_how_much_is_kept_and_not_what_comes_out(
    memory_limit: int, backbone: Backbone, head: nn.Linear, inputs: Inputs
) -> None:
    """With little memory there are fewer directions, and the backbone runs again for them."""
    stream = stream_of(backbone, head, inputs, LABELS)
    plan = plan_of(stream, memory_limit)
    made, exact = planned_map(stream, plan).whole, gradient_map(stream)

    assert plan.is_exact == (memory_limit == 10**9)
    # Float64 in another order; fewer directions only ever move energy into the estimated tail.
    torch.testing.assert_close(made.example_energies, exact.example_energies, rtol=1e-9, atol=0)
    lost = exact.energies - made.energies + made.discarded
    assert (lost <= made.discarded_bound + 1e-12 * exact.energies).all()


def test_factors_that_are_kept_give_what_factors_computed_twice_do(
    backbone: Backbone, head: nn.Linear, inputs: Inputs
) -> None:
    """A compressed map goes through the examples twice."""
    stream = stream_of(backbone, head, inputs, LABELS, 2)
    kept, again = gradient_map(tuple(stream), 3), gradient_map(stream, 3)

    assert torch.equal(kept.singular_values, again.singular_values)
    assert torch.equal(kept.discarded, again.discarded)


@pytest.mark.parametrize("n_parts", [1, 2, 3, 9])
def test_parts_are_disjoint_and_hold_every_example(
    n_parts: int, backbone: Backbone, head: nn.Linear, inputs: Inputs, factors: GradientFactors
) -> None:
    """They follow one after the other, and together give the same map; empty ones are left out."""
    stream = dataclasses.replace(stream_of(backbone, head, inputs, LABELS, 2), n_parts=n_parts)
    chunks = list(stream)
    numbers = [chunk.part for chunk in chunks]

    assert torch.cat(stream.parts()).tolist() == list(range(N_EXAMPLES))
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == min(n_parts, N_EXAMPLES)
    # Float64 in another order.
    torch.testing.assert_close(
        gradient_map(chunks).singular_values,
        gradient_map([factors]).singular_values,
        rtol=1e-9,
        atol=1e-12,
    )
