"""Populations: several trainings share every pass, and none can tell."""

from dataclasses import replace

import pytest
import torch

from placement_search.evaluation.evaluate import Evaluation, begin, new_population
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.population import Population
from placement_search.evaluation.workbench import Workbench
from placement_search.modules import parse_layout
from tests.evaluation.together import trained, weights
from tests.tiny_backbones import tiny_bert, tiny_t5
from tests.tiny_task import tiny_bench, tiny_text_task

PLAN = TrainingPlan(epochs=3, batch_size=16, learning_rate=1e-2)
NOTATIONS = (
    "none",
    "0>1:bottleneck+1>2:bottleneck(rank=2)",
    "5>2:bottleneck(rank=4)",
    "4>1:bottleneck+1>3:bottleneck|first_pass=adapted",
    "6>6:bottleneck",
    "3>3:bottleneck+0>5:bottleneck",
    "2>2:adamix+1>3:tiny_attention+3>3:arc(rank=4)+5>4:arc(rank=4)+4>1:adamix(share_up=false)",
)


def requests() -> list[Evaluation]:
    """One for each layout, with seeds of their own."""
    return [Evaluation(parse_layout(text), seed, PLAN) for seed, text in enumerate(NOTATIONS)]


@pytest.fixture(scope="module", params=["images", "texts"])
def bench(request: pytest.FixtureRequest) -> Workbench:
    """Images on a pre-norm backbone, padded texts on a post-norm one."""
    return tiny_bench() if request.param == "images" else Workbench(tiny_bert(), tiny_text_task())


@pytest.mark.slow
def test_a_score_is_the_same_alone_and_in_company(bench: Workbench) -> None:
    """Scores and losses are equal, and weights agree to rounding, whoever trains beside."""
    together = trained(bench, requests())
    alone = [trained(bench, [request])[0] for request in requests()]

    for ours, theirs in zip(together, alone, strict=True):
        assert ours.history == theirs.history
        # Some libraries' products round a row differently in a larger matrix.
        torch.testing.assert_close(ours.losses, theirs.losses, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(weights(ours), weights(theirs), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_where_examples_begin_together_scores_are_the_same_too() -> None:
    """A family whose passes can't be joined starts at the lowest node of all."""
    bench = Workbench(tiny_t5(), tiny_text_task())
    together = trained(bench, requests())

    for ours, request in zip(together, requests(), strict=True):
        assert ours.history == trained(bench, [request])[0].history


@pytest.mark.slow
def test_members_come_and_go_between_epochs(bench: Workbench) -> None:
    """One that leaves early and one that joins late change nothing for those that stay."""
    first, second, third = requests()[1:4]
    population = new_population(bench)
    stays, leaves = (begin(population, bench, request) for request in (first, second))
    population.run_epoch()
    population.leave(leaves)
    joins = begin(population, bench, third)
    for _ in range(2):
        population.run_epoch()

    assert stays.history == trained(bench, [first])[0].history
    assert joins.history == trained(bench, [third])[0].history[:2]
    assert leaves.history == trained(bench, [second])[0].history[:1]


@pytest.mark.slow
def test_one_that_diverges_takes_nobody_with_it(bench: Workbench) -> None:
    """Its error is its own; the other's scores are those it has alone."""
    wild = TrainingPlan(epochs=3, batch_size=16, learning_rate=1e30)
    calm = requests()[1]
    members = trained(bench, [Evaluation(calm.layout, 0, wild), calm])

    assert members[0].error is not None
    assert members[1].error is None
    assert members[1].history == trained(bench, [calm])[0].history


@pytest.mark.slow
def test_who_is_scored_once_trains_beside_others(bench: Workbench) -> None:
    """A final has its last score, and those beside it all of theirs."""
    first, second = requests()[1:3]
    final, trial = trained(bench, [replace(first, is_final=True), second])

    assert final.history == trained(bench, [first])[0].history[-1:]
    assert trial.history == trained(bench, [second])[0].history


@pytest.mark.parametrize(
    ("plan", "one_in"),
    [(TrainingPlan(batch_size=8), 1), (PLAN, 3), (replace(PLAN, reports_per_epoch=2), 1)],
)
def test_members_share_their_batches(bench: Workbench, plan: TrainingPlan, one_in: int) -> None:
    """Other sizes, examples or ends of parts could not."""
    population = new_population(bench)
    begin(population, bench, requests()[0])

    with pytest.raises(ValueError, match="one batch size"):
        begin(population, bench, Evaluation(requests()[0].layout, 0, plan, one_in=one_in))


@pytest.mark.slow
def test_reports_change_no_training(bench: Workbench) -> None:
    """Scored twice an epoch, a layout learns what it does when scored once."""
    once = requests()[1:4]
    plan = replace(PLAN, reports_per_epoch=2)
    often = [replace(request, plan=plan) for request in once]

    for seldom, ours in zip(trained(bench, once), trained(bench, often), strict=True):
        assert ours.history[1::2] == seldom.history
        assert len(ours.history) == len(ours.losses) == 2 * len(seldom.history)


@pytest.mark.slow
def test_members_leave_after_any_report_and_join_between_epochs(bench: Workbench) -> None:
    """Batches within an epoch have shapes of their own, which all members go through together."""
    first, second, third = (
        replace(request, plan=replace(PLAN, reports_per_epoch=2)) for request in requests()[1:4]
    )
    population = new_population(bench)
    stays, leaves = (begin(population, bench, request) for request in (first, second))
    population.run_part()
    population.leave(leaves)
    with pytest.raises(ValueError, match="between two epochs"):
        begin(population, bench, third)
    population.run_part()
    joins = begin(population, bench, third)
    population.run_epoch()

    assert stays.history == trained(bench, [first])[0].history[:4]
    assert joins.history == trained(bench, [third])[0].history[:2]


@pytest.mark.slow
def test_a_part_of_the_examples_is_learned_alike_alone_and_in_company(bench: Workbench) -> None:
    """One in three, in fewer steps, with the same scores whoever trains beside."""
    asked = [replace(request, one_in=3) for request in requests()[1:4]]
    together, whole = trained(bench, asked), trained(bench, requests()[1:2])[0]

    for ours, request in zip(together, asked, strict=True):
        assert ours.history == trained(bench, [request])[0].history
        assert ours.n_steps < whole.n_steps


def test_who_leaves_owns_its_weights(bench: Workbench) -> None:
    """Afterwards no parameter lies in the shared vector, and none has a gradient."""
    (member,) = trained(bench, requests()[1:2])
    parameters = list(member.model.parameters())

    assert all(p.grad is None for p in parameters)
    assert len({p.untyped_storage().data_ptr() for p in parameters}) == len(parameters)


def test_an_empty_population_is_no_burden(bench: Workbench) -> None:
    """After the last member has left another may join."""
    population: Population = new_population(bench)
    member = begin(population, bench, requests()[2])
    population.leave(member)
    again = begin(population, bench, requests()[2])
    population.run_epoch()

    assert again.history == trained(bench, requests()[2:3])[0].history[:1]
