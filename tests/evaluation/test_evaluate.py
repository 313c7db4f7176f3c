"""From a layout and a seed to a score card."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from placement_search.adapted import frozen
from placement_search.adapted.frozen import Place
from placement_search.errors import EvaluationError
from placement_search.evaluation.evaluate import Evaluation, evaluate
from placement_search.evaluation.full_fine_tune import full_fine_tune
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.modules import parse_layout
from placement_search.tasks.task import Task
from tests.tiny_backbones import tiny_vit
from tests.tiny_task import tiny_bench, tiny_task

PLAN = TrainingPlan(epochs=3, batch_size=16, learning_rate=1e-2)
LAYOUT = parse_layout("1>1:bottleneck(rank=2)+5>2:bottleneck(rank=4)")


def ignore(_epoch: int, _score: float) -> None:
    """A report that nobody reads."""


@pytest.fixture(scope="module")
def bench() -> Workbench:
    """One workbench for the whole file; evaluations must not change it."""
    return tiny_bench()


@pytest.mark.slow
def test_the_same_request_gives_the_same_numbers(bench: Workbench) -> None:
    """Scores and weights depend on layout, seed and plan alone, not on what ran before."""
    request = Evaluation(LAYOUT, seed=3, plan=PLAN)
    first = evaluate(bench, request, ignore)
    evaluate(bench, Evaluation(Layout(), seed=9, plan=PLAN), ignore)
    second = evaluate(bench, request, ignore)

    assert second.card.history == first.card.history
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], tensor)


@pytest.mark.slow
def test_seeds_matter(bench: Workbench) -> None:
    """Another seed starts from other weights."""
    first, second = (
        evaluate(bench, Evaluation(LAYOUT, seed, PLAN), ignore).model.state_dict()
        for seed in (1, 2)
    )

    assert any(not torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_an_order_of_its_own_leaves_initial_values_alone(bench: Workbench) -> None:
    """Another order trains otherwise; the order that the seed gives anyway changes nothing."""
    plain, same, other = (
        evaluate(bench, Evaluation(LAYOUT, 1, PLAN, order_seed=order), ignore).model.state_dict()
        for order in (None, 1, 2)
    )

    assert all(torch.equal(tensor, same[name]) for name, tensor in plain.items())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in plain.items())


def test_one_order_for_several_seeds_is_one_order(bench: Workbench) -> None:
    """The head alone has no initial values of its own, so nothing else tells its seeds apart."""
    first, second = (
        evaluate(bench, Evaluation(Layout(), seed, PLAN, order_seed=7), ignore).card.history
        for seed in (1, 2)
    )

    assert first == second


def test_evaluating_leaves_global_random_state_alone(bench: Workbench) -> None:
    """A user's own random numbers are the same with and without an evaluation in between."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    evaluate(bench, Evaluation(LAYOUT, 0, PLAN), ignore)

    assert torch.equal(torch.rand(3), expected)


@pytest.mark.slow
@pytest.mark.parametrize("place", [Place.DISK, Place.NOWHERE])
def test_where_frozen_states_are_does_not_change_scores(
    bench: Workbench, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they do not fit in memory they are read or computed again, with the same scores."""
    monkeypatch.setattr(frozen, "_pays", lambda *_: place is Place.DISK)
    small = Workbench(tiny_vit(), tiny_task(), memory_limit=0)
    request = Evaluation(LAYOUT, 0, PLAN)

    assert bench.train.states.place is Place.MEMORY
    assert small.train.states.place is place
    assert (
        evaluate(small, request, ignore).card.history
        == evaluate(bench, request, ignore).card.history
    )


def test_the_probed_head_is_the_start(bench: Workbench) -> None:
    """With a learning rate of next to nothing the score is that of the probed head."""
    plan = dataclasses.replace(PLAN, epochs=1, learning_rate=1e-12)
    card = evaluate(bench, Evaluation(LAYOUT, 0, plan), ignore).card
    logits = bench.head.logits(bench.validation.states.features[bench.pooling])

    right = (logits.argmax(-1) == bench.validation.labels).float().mean()

    assert card.score == pytest.approx(float(right))


def test_every_epoch_is_reported(bench: Workbench) -> None:
    """The report hears the score of each epoch, from 1, and the last one is the final score."""
    heard: list[tuple[int, float]] = []
    card = evaluate(
        bench, Evaluation(LAYOUT, 0, PLAN), lambda epoch, score: heard.append((epoch, score))
    ).card

    assert [epoch for epoch, _ in heard] == [1, 2, 3]
    assert tuple(score for _, score in heard) == card.history
    assert card.score == card.history[-1]


@pytest.mark.slow
def test_the_test_split_is_read_by_finals_only() -> None:
    """A search evaluation neither scores nor even prepares the test split."""
    bench = tiny_bench()
    card = evaluate(bench, Evaluation(LAYOUT, 0, PLAN), ignore).card

    assert card.test_score is None
    assert "test" not in vars(bench)
    final = evaluate(bench, Evaluation(LAYOUT, 0, PLAN, is_final=True), ignore).card
    assert final.test_score is not None


def test_a_final_is_scored_at_its_end_alone(bench: Workbench) -> None:
    """Nobody would stop it before; the training and its score are those of a search's trial."""
    heard: list[tuple[int, float]] = []
    request = Evaluation(LAYOUT, 0, PLAN, is_final=True)
    final = evaluate(bench, request, lambda epoch, score: heard.append((epoch, score))).card
    trial = evaluate(bench, Evaluation(LAYOUT, 0, PLAN), ignore).card

    assert heard == [(PLAN.epochs, trial.score)]
    assert final.history == (trial.score,)
    assert final.n_steps == trial.n_steps


def test_latency_is_measured_on_request(bench: Workbench) -> None:
    """The factor is a positive number where it was asked for, and absent elsewhere."""
    timed = evaluate(bench, Evaluation(LAYOUT, 0, PLAN, is_timed=True), ignore).card.costs
    untimed = evaluate(bench, Evaluation(LAYOUT, 0, PLAN), ignore).card.costs

    assert timed.latency_factor is not None and timed.latency_factor > 0
    assert untimed.latency_factor is None


def test_costs_are_those_of_the_layout(bench: Workbench) -> None:
    """Parameters and bytes are counted, and a recurrent layout pays its second pass."""
    costs = evaluate(bench, Evaluation(LAYOUT, 0, PLAN), ignore).card.costs
    none = evaluate(bench, Evaluation(Layout(), 0, PLAN), ignore).card.costs
    # down, up, biases, and the norm's two vectors at width 16, for ranks 2 and 4
    expected = sum(2 * 16 * rank + rank + 16 + 2 * 16 for rank in (2, 4))

    assert costs.n_adapter_parameters == expected
    assert costs.n_bytes == 4 * (expected + costs.n_head_parameters)
    assert none.flops_factor == 1
    assert 2 < costs.flops_factor < 2.5


@pytest.mark.slow
def test_training_improves_on_the_head(bench: Workbench) -> None:
    """On a task that the random backbone's features hide, adapters raise the training fit."""
    plan = TrainingPlan(epochs=20, batch_size=16, learning_rate=1e-2)
    alone = evaluate(bench, Evaluation(Layout(), 0, plan), ignore).card.score
    adapted = evaluate(bench, Evaluation(LAYOUT, 0, plan), ignore).card.score

    assert adapted >= alone


def test_a_test_score_that_is_not_finite_is_an_error(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where validation scores were: a study could not go on with it."""
    plan, score = TrainingPlan(epochs=1, batch_size=16), Task.score

    def on_test(task: Task, logits: Tensor, labels: Tensor) -> float:
        return math.nan if labels is bench.test.labels else score(task, logits, labels)

    monkeypatch.setattr(Task, "score", on_test)
    evaluate(bench, Evaluation(LAYOUT, 0, plan), ignore)
    with pytest.raises(EvaluationError, match="the test score of a trained layout is nan"):
        evaluate(bench, Evaluation(LAYOUT, 0, plan, is_final=True), ignore)
    with pytest.raises(EvaluationError, match="the test score of a trained layout is nan"):
        full_fine_tune(bench, plan, seed=0, is_final=True)


def test_a_loss_that_is_not_finite_is_an_error(bench: Workbench) -> None:
    """A diverged training has no score, not a bad one."""
    plan = TrainingPlan(epochs=2, batch_size=16, learning_rate=1e30)

    with pytest.raises(EvaluationError, match=r"training loss in epoch 1 is nan; .* a smaller"):
        evaluate(bench, Evaluation(LAYOUT, 0, plan), ignore)
