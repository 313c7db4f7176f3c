"""The engine in this process: populations, failures that stay alone, and stops."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from placement_search.engine.engine import Infeasible
from placement_search.engine.in_process import InProcessEngine, memory_errors_told
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.population import Population
from placement_search.evaluation.workbench import Workbench
from placement_search.modules import parse_layout
from tests.engine.engines import Heard, requests, see_through
from tests.tiny_task import small_embedded_bench


@pytest.fixture(scope="module")
def bench() -> Workbench:
    """The embedded backbone on a few small images."""
    return small_embedded_bench()


@pytest.mark.slow
@pytest.mark.parametrize("population", [2, 8])
def test_populations_of_any_size_give_the_same_cards(bench: Workbench, population: int) -> None:
    """More requests than places wait for theirs; scores, reports and costs are the same."""
    alone = see_through(InProcessEngine(bench, 1), requests())
    together = see_through(InProcessEngine(bench, population), requests())

    assert together.reports == alone.reports
    for ticket, card in alone.cards.items():
        assert together.cards[ticket].history == card.history
        assert together.cards[ticket].costs == card.costs
        assert [score for _, score in together.reports[ticket]] == list(card.history)


@pytest.mark.slow
def test_who_trains_on_other_batches_waits(bench: Workbench) -> None:
    """Parts of the data, and more reports, give what they give alone; nobody waits for ever."""
    often = replace(requests()[0].plan, reports_per_epoch=2)
    changes: list[dict[str, Any]] = [{}, {"one_in": 2}, {"plan": often}]
    asked = [replace(request, **change) for request in requests()[:2] for change in changes]
    together = see_through(InProcessEngine(bench, 4), asked)

    assert together.reports == see_through(InProcessEngine(bench, 1), asked).reports
    assert together.cards.keys() == set(range(6))


@pytest.mark.slow
def test_what_is_stopped_is_not_heard_of_again(bench: Workbench) -> None:
    """Neither one that trains nor one that waits; the others go on."""
    engine, heard = InProcessEngine(bench, 2), Heard()
    for ticket, request in enumerate(requests()):
        engine.start(ticket, request)
    heard.listen(engine)
    engine.stop(0)
    engine.stop(3)
    while len(heard.cards) < 2:
        heard.listen(engine)

    assert heard.cards.keys() == {1, 2}
    assert len(heard.reports[0]) == 1
    with pytest.raises(ValueError, match="no evaluation is under way"):
        engine.events()


@pytest.mark.slow
def test_a_layout_that_does_not_fit_fails_alone(bench: Workbench) -> None:
    """It fails where it begins, and the others are evaluated."""
    asked = requests()
    asked[1] = Evaluation(parse_layout("30>31:bottleneck"), 0, asked[1].plan)
    heard = see_through(InProcessEngine(bench, 4), asked)

    assert heard.errors.keys() == {1}
    assert heard.cards.keys() == {0, 2, 3}


def fail_where(monkeypatch: pytest.MonkeyPatch, size: int, error: Exception) -> None:
    """Let epochs of at least so many members end in an error, after a step."""
    run = Population.run_part

    def run_or_fail(self: Population) -> None:
        if len(self.members) >= size:
            self._train()
            raise error
        run(self)

    monkeypatch.setattr(Population, "run_part", run_or_fail)


@pytest.mark.slow
def test_what_fails_together_is_tried_alone(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that suffices for one but not for two: same scores, every report made once."""
    expected = see_through(InProcessEngine(bench, 1), requests())
    fail_where(monkeypatch, 2, torch.OutOfMemoryError("too much"))
    heard = see_through(InProcessEngine(bench, 3), requests())

    assert heard.reports == expected.reports
    assert not heard.errors


@pytest.mark.slow
def test_what_fails_alone_has_failed(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without memory for a single one the layout is infeasible; a bug is told as it was raised."""
    for error, kind in (
        (torch.OutOfMemoryError("too much"), Infeasible),
        (KeyError("bug"), KeyError),
    ):
        with monkeypatch.context() as patched:
            fail_where(patched, 1, error)
            heard = see_through(InProcessEngine(bench, 4), requests())

        assert heard.errors.keys() == {0, 1, 2, 3}
        assert all(isinstance(found, kind) for found in heard.errors.values())


@pytest.mark.parametrize(
    "said",
    [
        "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "MPS backend out of memory (MPS allocated: 18 GB, max allowed: 20 GB)",
    ],
)
def test_memory_that_runs_out_is_known_by_what_torch_says(said: str) -> None:
    """Where it has no class of its own; any other error stays what it is."""
    with pytest.raises(Infeasible, match=r"^out of memory"), memory_errors_told():
        raise RuntimeError(said)
    with pytest.raises(RuntimeError, match="a bug"), memory_errors_told():
        raise RuntimeError("a bug")


@pytest.mark.slow
def test_close_drops_what_is_under_way(bench: Workbench) -> None:
    """Nothing is left, and no hook."""
    engine = InProcessEngine(bench, 2)
    for ticket, request in enumerate(requests()):
        engine.start(ticket, request)
    engine.events()
    engine.close()

    with pytest.raises(ValueError, match="no evaluation is under way"):
        engine.events()
