"""The finals: fresh seeds, kept as they come, and no retraining lost or repeated."""

from dataclasses import replace

import optuna
import pytest

from placement_search.engine.engine import Infeasible
from placement_search.errors import EvaluationError
from placement_search.study.command import Goal
from placement_search.study.finalists import (
    Finals,
    choose_finalists,
    lacks_seeds,
    run_finals,
    why_unanswered,
)
from placement_search.study.gaps import gaps_of, read_gaps
from placement_search.study.progress import Silence
from placement_search.study.records import FINALIST, read_finals
from tests.study.stub_engine import StubEngine
from tests.tiny_records import DEFINITION, finals, study_record, trial

TRIALS = [
    trial(0, "none", 0.2, role="head only", is_eligible=False),
    trial(1, "1>2:bottleneck", 0.6),
    trial(2, "3>3:bottleneck", 0.8),
    trial(3, "5>1:bottleneck", None),
]
FINALS = Finals(DEFINITION, n_seeds=3)


def test_the_best_proposals_and_all_baselines_take_part() -> None:
    """Pruned trials and lesser proposals stay out."""
    chosen = choose_finalists(study_record(TRIALS), 1)

    assert [finalist.number for finalist in chosen] == [2, 0]


@pytest.mark.parametrize(("cost", "numbers"), [(None, [1, 2]), ("parameters", [1, 0])])
def test_with_a_cost_the_front_takes_part_first(cost: str | None, numbers: list[int]) -> None:
    """A cheap layout that nothing beats comes before a dear one that another beats."""
    trials = [
        trial(0, "1>2:bottleneck(rank=1)", 0.6),
        trial(1, "3>3:bottleneck(rank=8)", 0.8),
        trial(2, "4>4:bottleneck(rank=8)", 0.7),
    ]
    record = study_record(trials)
    asked = replace(record, definition=replace(record.definition, cost=cost))

    assert [finalist.number for finalist in choose_finalists(asked, 2)] == numbers


@pytest.mark.parametrize(
    ("n", "numbers"), [(0, []), (1, [4]), (2, [4, 0]), (3, [4, 2, 0]), (9, [4, 3, 2, 1, 0])]
)
def test_finalists_lie_along_the_whole_front(n: int, numbers: list[int]) -> None:
    """Its cheap end too: whoever sets the score against a cost asks for what is between."""
    trials = [trial(rank, f"1>2:bottleneck(rank={rank + 1})", 0.5 + rank / 10) for rank in range(5)]
    record = study_record(trials)
    asked = replace(record, definition=replace(record.definition, cost="parameters"))

    assert [finalist.number for finalist in choose_finalists(asked, n)] == numbers


def test_every_retraining_has_a_seed_of_its_own(study: optuna.Study) -> None:
    """No seed is the search's, none comes twice, and only the first is timed."""
    engine = StubEngine()
    run_finals(study, choose_finalists(study_record(TRIALS), 1), FINALS, engine, Silence())

    assert len({request.seed for request in engine.requests}) == 6
    assert all(request.is_final for request in engine.requests)
    assert [request.is_timed for request in engine.requests] == [True, False, False] * 2


def test_a_limit_on_latency_is_measured_at_every_seed(study: optuna.Study) -> None:
    """The answer must keep it, and one measurement on a busy machine may be off."""
    engine = StubEngine()
    limited = Finals(replace(DEFINITION, max_latency="1.2x"), n_seeds=3)
    run_finals(study, choose_finalists(study_record(TRIALS), 1), limited, engine, Silence())

    assert all(request.is_timed for request in engine.requests)


@pytest.mark.parametrize("is_paired", [False, True])
def test_replicates_of_paired_finals_share_their_order(
    study: optuna.Study, is_paired: bool
) -> None:
    """Over layouts, not over replicates; finals of earlier studies stay as they were."""
    engine = StubEngine()
    paired = Finals(replace(DEFINITION, is_paired=is_paired), n_seeds=3)
    run_finals(study, choose_finalists(study_record(TRIALS), 1), paired, engine, Silence())
    orders = [request.order_seed for request in engine.requests]

    assert orders[:3] == orders[3:]
    assert set(orders) == {None} if not is_paired else len(set(orders)) == 3


def test_a_layout_takes_part_once() -> None:
    """So its test score is read once per seed, whatever roles it has."""
    twice = [*TRIALS, trial(4, "3>3:bottleneck", 0.8, role="greedy")]

    assert [f.number for f in choose_finalists(study_record(twice), 1)] == [2, 0]


def test_former_finalists_stay(study: optuna.Study) -> None:
    """Else a study that grew would compare layouts of few seeds with layouts of many."""
    record = study_record(TRIALS, finals("1>2:bottleneck", (0.6, 0.6)))
    chosen = choose_finalists(record, 1)
    assert [finalist.number for finalist in chosen] == [2, 0, 1]

    engine = StubEngine()
    run_finals(study, chosen, FINALS, engine, Silence())
    assert len(engine.requests) == 9


@pytest.mark.parametrize(
    ("slow", "numbers"), [((), [2, 0, 1]), ((2,), [1, 0, 2]), ((1, 2), [0, 2, 1])]
)
def test_another_takes_the_place_of_one_that_is_too_slow(
    slow: tuple[int, ...], numbers: list[int]
) -> None:
    """The next best, unless that is too slow too; who was retrained stays to be told of."""
    trials = [*TRIALS, trial(4, "6>6:bottleneck", 0.5)]
    retrained = [
        replace(final, card=replace(final.card, costs=replace(final.card.costs, latency_factor=f)))
        for number in (1, 2)
        for f in (1.3 if number in slow else 1.1,)
        for final in finals(trials[number].layout, (0.6, 0.6, 0.6))
    ]
    record = study_record(trials, retrained)
    limited = replace(record, definition=replace(DEFINITION, max_latency="1.2x"))

    assert [f.number for f in choose_finalists(limited, 1)] == numbers


def test_nobody_is_replaced_before_all_seeds_are_measured() -> None:
    """Else an interruption would bring in finalists that an uninterrupted search has not.

    Seeds that give no score can't be waited for.
    """
    slow = [
        replace(
            final, card=replace(final.card, costs=replace(final.card.costs, latency_factor=1.3))
        )
        for final in finals(TRIALS[2].layout, (0.6, 0.6, 0.6))
    ]
    asked = replace(DEFINITION, max_latency="1.2x")
    begun, done = (replace(study_record(TRIALS, slow[:n]), definition=asked) for n in (1, 3))

    gaps = {f"{FINALIST}{TRIALS[2].layout_id}/{replicate}": "nan" for replicate in (2, 3)}

    assert [f.number for f in choose_finalists(replace(begun, gaps=gaps), 1)] == [1, 0, 2]
    assert [f.number for f in choose_finalists(begun, 1)] == [2, 0]
    assert [f.number for f in choose_finalists(done, 1)] == [1, 0, 2]


def test_layouts_from_elsewhere_take_part() -> None:
    """However they scored in the search."""
    started = [*TRIALS, trial(4, "8>1:bottleneck", 0.1, role="start: digits", is_eligible=False)]

    assert [f.number for f in choose_finalists(study_record(started), 1)] == [2, 0, 4]


def test_interrupted_finals_go_on_where_they_stopped(study: optuna.Study) -> None:
    """What is held is not made again."""
    finalists = choose_finalists(study_record(TRIALS), 1)

    def stop(number: int) -> None:
        if number == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_finals(study, finalists, FINALS, StubEngine(before=stop), Silence())
    rest = StubEngine()
    run_finals(study, finalists, FINALS, rest, Silence())

    assert len(rest.requests) == 3
    assert len(read_finals(study.user_attrs)) == 6


def test_a_retraining_without_a_score_leaves_a_gap(study: optuna.Study) -> None:
    """The finals go on, and its finalist is judged by its other seeds."""

    def fail(number: int) -> None:
        if number == 2:
            raise EvaluationError("the training loss is nan in epoch 1")

    finalists = choose_finalists(study_record(TRIALS), 1)
    run_finals(study, finalists, FINALS, StubEngine(before=fail), Silence())

    assert gaps_of(read_gaps(study.user_attrs), FINALIST) == {
        (TRIALS[2].layout_id, 2): "the training loss is nan in epoch 1"
    }
    held = [(final.layout_id, final.replicate) for final in read_finals(study.user_attrs)]
    assert len(held) == 5
    assert (TRIALS[2].layout_id, 2) not in held


@pytest.mark.parametrize(
    ("error", "n_again"),
    [(EvaluationError("the loss is nan"), 0), (Infeasible("out of memory: 3 GB"), 1)],
    ids=["diverged", "out of memory"],
)
def test_a_gap_is_tried_again_only_where_it_may_be_filled(
    study: optuna.Study, error: Exception, n_again: int
) -> None:
    """Another machine has more memory, and no other numbers."""

    def fail(number: int) -> None:
        if number == 2:
            raise error

    finalists, again = choose_finalists(study_record(TRIALS), 1), StubEngine()
    for engine in (StubEngine(before=fail), again):
        run_finals(study, finalists, FINALS, engine, Silence())

    assert len(again.requests) == n_again


def test_a_seed_that_gives_no_score_is_not_lacking() -> None:
    """It would give none again, so the finals are complete without it."""
    held = finals(TRIALS[2].layout, (0.6, 0.6)) + finals(TRIALS[0].layout, (0.5, 0.5, 0.5))
    record = replace(study_record(TRIALS, held), goal=Goal(4, 1, 3))
    gaps = {f"{FINALIST}{TRIALS[2].layout_id}/3": "nan"}

    assert lacks_seeds(record)
    assert not lacks_seeds(replace(record, gaps=gaps))


def test_finals_without_a_score_are_not_said_to_be_missing() -> None:
    """Another run would not bring the answer."""
    record = replace(study_record(TRIALS), goal=Goal(4, 1, 2))
    gaps = {f"{FINALIST}{each.layout_id}/{n}": "nan" for each in TRIALS for n in (1, 2)}

    assert why_unanswered(record) == "finals were not held or are not complete"
    assert "no admitted finalist has scores" in why_unanswered(replace(record, gaps=gaps))


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_order_of_events_decides_nothing(study: optuna.Study, order: int) -> None:
    """All are under way at once, and the study holds the same score cards."""
    finalists = choose_finalists(study_record(TRIALS), 1)
    engine = StubEngine(order=order)
    run_finals(study, finalists, FINALS, engine, Silence())
    in_order = optuna.create_study()
    run_finals(in_order, finalists, FINALS, StubEngine(), Silence())

    assert engine.most_under_way == 6
    assert read_finals(study.user_attrs) == read_finals(in_order.user_attrs)


def test_a_bug_ends_the_finals_and_leaves_nothing_under_way(study: optuna.Study) -> None:
    """It is no gap among scores; what was there already is kept."""

    def fail(number: int) -> None:
        if number == 3:
            raise ZeroDivisionError("a bug")

    engine = StubEngine(before=fail)
    finalists = choose_finalists(study_record(TRIALS), 1)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run_finals(study, finalists, FINALS, engine, Silence())

    assert len(read_finals(study.user_attrs)) == 2
    with pytest.raises(ValueError, match="nothing is under way"):
        engine.events()
