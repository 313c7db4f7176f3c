"""References: random layouts of the answer's size and the fully trained backbone."""

from collections.abc import Sequence
from dataclasses import replace

import optuna
import pytest

from placement_search.evaluation.evaluate import Evaluation
from placement_search.layout import FirstPass
from placement_search.layout import parse_layout as parse
from placement_search.modules import MODULE_TYPES
from placement_search.space.training import TrainingChoice
from placement_search.study.answer import find_answer
from placement_search.study.command import Goal
from placement_search.study.progress import Silence
from placement_search.study.random_gain import reads_alike
from placement_search.study.records import (
    FULL_FINE_TUNING,
    REFERENCES,
    FinalRecord,
    StudyRecord,
    read_references,
)
from placement_search.study.references import LEARNING_RATES, References
from placement_search.study.starts import StartLayout
from tests.study.stub_engine import StubEngine
from tests.tiny_records import finals as retrained
from tests.tiny_records import score_card, study_record, trial
from tests.tiny_spaces import bound, space_file

ANSWER = "1>2:bottleneck(rank=4)+3>3:bottleneck(rank=8)"
LARGER = "0>1:bottleneck(rank=8)+4>5:bottleneck(rank=8)+6>7:bottleneck(rank=8)"


def with_finals(random_layout: str, *, is_full: bool = False) -> StudyRecord:
    """A study whose answer has two connections, beside one random baseline."""
    trials = [trial(0, random_layout, 0.5, role="random 1"), trial(1, ANSWER, 0.8)]
    finals = [
        FinalRecord(t.layout_id, replicate, score_card(t.layout, t.score or 0, t.score))
        for t in trials
        for replicate in (1, 2, 3)
    ]
    goal = Goal(n_trials=2, n_finalists=1, n_seeds=3, full_fine_tuning=is_full)
    return replace(study_record(trials, finals), goal=goal)


def made(study: optuna.Study, record: StudyRecord, engine: StubEngine) -> StudyRecord:
    """The record after its references."""
    References(study, engine, bound(), Silence()).run(record)
    return replace(record, references=read_references(study.user_attrs))


def with_starts(record: StudyRecord, *notations: str) -> StudyRecord:
    """The study as one that starts from these layouts."""
    given = {
        f"start: {number}": StartLayout(notation, str(number), "first", "abc", "accuracy", 0.9, 3)
        for number, notation in enumerate(notations, start=2)
    }
    return replace(record, definition=replace(record.definition, start_from=given))


def sizes(requests: Sequence[Evaluation]) -> set[tuple[str, ...]]:
    """The modules of each layout that was trained."""
    return {tuple(sorted(c.module.notation for c in r.layout.connections)) for r in requests}


def test_random_layouts_have_the_answers_modules(study: optuna.Study) -> None:
    """As many layouts as random baselines, as many seeds as the finals, all tested."""
    engine = StubEngine()
    record = made(study, with_finals(LARGER), engine)
    wanted = sorted(c.module.notation for c in parse(ANSWER, MODULE_TYPES).connections)

    assert sizes(engine.requests) == {tuple(wanted)}
    assert len({r.layout.id for r in engine.requests}) == record.definition.n_random
    assert len(engine.requests) == 3 * record.definition.n_random
    assert all(request.is_final for request in engine.requests)


def test_the_answer_is_compared_with_them(study: optuna.Study) -> None:
    """In place of the random baselines, which may be larger."""
    answer = find_answer(made(study, with_finals(LARGER), StubEngine()))

    assert answer is not None
    assert [c.name for c in answer.comparisons] == ["2 random layouts of the same size"]
    # What the stub's score cards say: random layouts are told with parameters of their own.
    assert answer.comparisons[0].n_adapter_parameters == 100


@pytest.mark.parametrize(("n_baselines", "n_drawn"), [(0, 3), (1, 2), (2, 1), (3, 0), (4, 0)])
def test_random_baselines_of_its_size_count(
    study: optuna.Study, n_baselines: int, n_drawn: int
) -> None:
    """What a stopped search, a failure or a small space left out is drawn, and no more."""
    randoms = [
        trial(n, f"{n}>9:bottleneck(rank=8)+7>7:bottleneck(rank=4)", 0.5, role=f"random {n}")
        for n in range(1, n_baselines + 1)
    ]
    record = with_finals(LARGER)
    answer = replace(record.trials[1], number=0)
    held = [final for t in randoms for final in retrained(t.layout, (0.5, 0.51, 0.52))]
    finals = (*(f for f in record.finals if f.layout_id == answer.layout_id), *held)
    asked = replace(record.definition, n_random=3)
    record = replace(record, trials=(answer, *randoms), finals=finals, definition=asked)
    engine = StubEngine()
    found = find_answer(made(study, record, engine))

    assert len({request.layout.id for request in engine.requests}) == n_drawn
    assert found is not None
    assert found.random.n_layouts == n_baselines + n_drawn


def test_what_was_drawn_for_another_answer_counts(study: optuna.Study) -> None:
    """A study that goes on may come to another answer of the same size."""
    record = made(study, with_finals(LARGER), StubEngine())
    better = trial(2, "8>9:bottleneck(rank=4)+9>9:bottleneck(rank=8)", 0.9)
    held = retrained(better.layout, (0.9, 0.91, 0.92))
    record = replace(record, trials=(*record.trials, better), finals=(*record.finals, *held))
    engine = StubEngine()
    found = find_answer(made(study, record, engine))

    assert found is not None
    assert found.chosen.trial.number == 2
    assert engine.requests == []
    assert found.random.n_layouts == record.definition.n_random


def test_a_baseline_without_a_test_score_is_made_up_for(study: optuna.Study) -> None:
    """As where all its retrainings failed."""
    record = with_finals("5>9:bottleneck(rank=8)+7>7:bottleneck(rank=4)")
    answer = record.trials[1].layout_id
    record = replace(record, finals=tuple(f for f in record.finals if f.layout_id == answer))
    engine = StubEngine()
    made(study, record, engine)

    assert len({request.layout.id for request in engine.requests}) == record.definition.n_random


def test_a_layout_from_elsewhere_has_random_ones_of_its_own_size(study: optuna.Study) -> None:
    """Unless the answer has its modules: then both are compared with the same ones."""
    same, other = (f"2>3:bottleneck(rank=4)+9>9:bottleneck(rank={rank})" for rank in (8, 16))
    record = with_finals(LARGER)
    starts = [
        trial(n, notation, 0.4, role=f"start: {n}", is_eligible=False)
        for n, notation in ((2, same), (3, other))
    ]
    held = [f for t in starts for f in retrained(t.layout, (0.4, 0.41, 0.42))]
    record = replace(record, trials=(*record.trials, *starts), finals=(*record.finals, *held))
    record = with_starts(record, same, other)
    engine = StubEngine()
    made(study, record, engine)

    assert sizes(engine.requests) == {
        ("bottleneck(rank=4)", "bottleneck(rank=8)"), ("bottleneck(rank=16)", "bottleneck(rank=4)"),
    }  # fmt: skip
    assert len(engine.requests) == 2 * 3 * record.definition.n_random


def test_no_layout_is_trained_twice_from_one_seed(study: optuna.Study) -> None:
    """What the finals hold of a random layout is taken over, so its test score is read once."""
    first = StubEngine()
    made(study, with_finals(LARGER), first)
    drawn = first.requests[0].layout
    known = trial(2, drawn.notation, 0.5)
    record = with_finals(LARGER)
    record = replace(
        record,
        trials=(*record.trials, known),
        finals=(*record.finals, *retrained(drawn.notation, (0.5, 0.51, 0.52))),
    )
    engine = StubEngine()
    references = made(optuna.create_study(), record, engine).references

    assert drawn.id not in {request.layout.id for request in engine.requests}
    assert [r.card.score for r in references if r.layout == drawn.notation] == [0.5, 0.51, 0.52]


def trained_apart() -> StudyRecord:
    """An answer found at one learning rate, beside baselines of its size trained at another."""
    fast, slow = TrainingChoice(0.1), TrainingChoice(0.01)
    alike = "5>9:bottleneck(rank=8)+7>7:bottleneck(rank=4)"
    trials = [
        trial(0, alike, 0.5, role="random 1", training=slow),
        trial(1, ANSWER, 0.8, training=fast),
    ]
    held = [
        *retrained(alike, (0.5, 0.51, 0.52), training=slow),
        *retrained(ANSWER, (0.8, 0.81, 0.82), training=fast),
    ]
    return study_record(trials, held)


def test_baselines_trained_otherwise_are_not_enough(study: optuna.Study) -> None:
    """Random layouts of the answer's size are trained as it was, and the study says so."""
    engine = StubEngine()
    record = made(study, trained_apart(), engine)
    answer = find_answer(record)

    assert {request.plan.learning_rate for request in engine.requests} == {0.1}
    assert {r.training for r in record.references} == {TrainingChoice(0.1)}
    assert answer is not None
    assert answer.random.n_layouts == record.definition.n_random


def test_cards_of_another_training_are_not_taken_over(study: optuna.Study) -> None:
    """A drawn layout that was in the finals at another learning rate is trained again."""
    first, again, slow = StubEngine(), StubEngine(), TrainingChoice(0.01)
    record = made(study, trained_apart(), first)
    drawn = record.references[0].layout
    known = trial(2, drawn, 0.5, training=slow)
    held = retrained(drawn, (0.5, 0.51, 0.52), training=slow)
    record = trained_apart()
    record = replace(record, trials=(*record.trials, known), finals=(*record.finals, *held))
    made(optuna.create_study(), record, again)

    assert again.requests == first.requests


def test_references_of_earlier_versions_are_read(study: optuna.Study) -> None:
    """They were trained as the study says."""
    (reference, *_) = made(study, with_finals(LARGER), StubEngine()).references
    stored = REFERENCES.dump_python(reference, mode="json")
    del stored["training"]

    assert REFERENCES.validate_python(stored) == reference


def test_more_connections_than_places_have_nothing_to_compare_with(study: optuna.Study) -> None:
    """A layout from elsewhere may be larger than the space."""
    file = space_file(kinds=["sequential"], sources=["0-1"], connections={"at_most": 1})
    started = trial(0, LARGER, 0.4, role="start: digits", is_eligible=False)
    engine = StubEngine()
    record = study_record([started], retrained(LARGER, (0.4, 0.41, 0.42)))
    record = with_starts(record, LARGER)
    References(study, engine, bound(file), Silence()).run(record)

    assert engine.requests == []


def test_a_random_answer_has_random_layouts_drawn_apart(study: optuna.Study) -> None:
    """It was picked from among the baselines, so these would be too weak a measure."""
    trials = [trial(n, f"{n}>9:bottleneck(rank=4)", role=f"random {n + 1}") for n in range(3)]
    held = [f for t in trials for f in retrained(t.layout, (0.5 + t.number / 10, 0.51, 0.52))]
    engine = StubEngine()
    record = made(study, study_record(trials, held), engine)
    answer = find_answer(record)

    assert answer is not None
    assert answer.chosen.trial.role == "random 3"
    assert sizes(engine.requests) == {("bottleneck(rank=4)",)}
    assert answer.random.n_layouts == record.definition.n_random


def test_random_layouts_differ_from_the_answer_and_from_each_other(study: optuna.Study) -> None:
    """In a space of four places the answer can be compared with three others at most."""
    file = space_file(
        kinds=["sequential"], sources=["0-3"], connections={"at_most": 1},
        modules=[{"type": "bottleneck", "rank": 4}],
    )  # fmt: skip
    trials = [
        trial(0, LARGER, 0.5, role="random 1"),
        trial(1, "2>2:bottleneck(rank=4)", 0.8),
    ]
    finals = [
        FinalRecord(trials[1].layout_id, n, score_card(trials[1].layout, 0.8, 0.8))
        for n in (1, 2, 3)
    ]
    record = study_record(trials, finals)
    record = replace(record, definition=replace(record.definition, n_random=9))
    engine = StubEngine()
    References(study, engine, bound(file), Silence()).run(record)

    assert {r.layout.notation for r in engine.requests} == {
        f"{node}>{node}:bottleneck(rank=4)" for node in (0, 1, 3)
    }


def test_the_ceiling_chooses_its_learning_rate_by_validation(study: optuna.Study) -> None:
    """Every rate once without the test split, then the best one from the finals' seeds."""
    engine = StubEngine()
    record = made(study, with_finals(LARGER, is_full=True), engine)
    tried, final = engine.full[: len(LEARNING_RATES)], engine.full[len(LEARNING_RATES) :]
    answer = find_answer(record)

    assert [(rate, is_final) for rate, _, is_final in tried] == [
        (rate, False) for rate in LEARNING_RATES
    ]
    assert [(rate, is_final) for rate, _, is_final in final] == [(3e-4, True)] * 3
    assert len({seed for _, seed, _ in final}) == 3
    assert answer is not None
    assert [c.test.mean for c in answer.comparisons if c.name == FULL_FINE_TUNING] == [0.9]


def test_interrupted_references_go_on_where_they_stopped(study: optuna.Study) -> None:
    """What is held is not trained again, and the end is the same."""

    def stop(number: int) -> None:
        if number == 3:
            raise KeyboardInterrupt

    record = with_finals(LARGER, is_full=True)
    with pytest.raises(KeyboardInterrupt):
        made(study, record, StubEngine(before=stop))
    rest = StubEngine()
    whole = made(study, record, rest)
    undisturbed = made(optuna.create_study(), record, StubEngine())

    assert len(rest.requests) == 3 * record.definition.n_random - 2
    assert whole.references == undisturbed.references


def test_without_an_answer_there_is_nothing_to_compare(study: optuna.Study) -> None:
    """No finals, no references."""
    engine = StubEngine()
    made(study, study_record([trial(0, ANSWER, 0.5)]), engine)

    assert engine.requests == []
    assert engine.full == []


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_order_of_events_decides_nothing(study: optuna.Study, order: int) -> None:
    """Random layouts are all under way at once; the whole backbone is trained after them."""
    record = with_finals(LARGER, is_full=True)
    engine = StubEngine(order=order)
    mixed = made(study, record, engine)
    in_order = made(optuna.create_study(), record, StubEngine())

    assert engine.most_under_way == 3 * record.definition.n_random
    assert mixed.references == in_order.references


def test_a_start_that_is_too_large_for_the_space_has_random_ones_too(study: optuna.Study) -> None:
    """Though the space knows all its modules and connections, it admits no layout of that size."""
    large = LARGER + "+8>9:bottleneck(rank=8)"
    started = trial(0, large, 0.4, role="start: digits", is_eligible=False)
    record = with_starts(study_record([started], retrained(large, (0.4, 0.41, 0.42))), large)
    engine = StubEngine()
    References(study, engine, bound(), Silence()).run(record)

    assert sizes(engine.requests) == {("bottleneck(rank=8)",) * 4}


def test_a_start_that_is_the_answer_has_its_random_layouts(study: optuna.Study) -> None:
    """Drawn once, though it is both; and so where two studies give the same start."""
    small = bound(space_file(kinds=["sequential"], sources=["0-3"], targets=["0-3"]))
    layout = "1>1:bottleneck(rank=4)+3>3:bottleneck(rank=4)"
    started = trial(0, layout, 0.8, role="start: digits")
    record = study_record([started], retrained(layout, (0.7, 0.71, 0.72)))
    record = with_starts(record, layout, layout)
    record = replace(record, definition=replace(record.definition, n_random=6))
    engine = StubEngine()
    References(study, engine, small, Silence()).run(record)

    # There are six pairs of four nodes, one of them its own.
    assert len({request.layout.id for request in engine.requests}) == 5


def test_random_layouts_of_an_adapted_first_pass_have_it_too(study: optuna.Study) -> None:
    """Else they would differ from a layout from elsewhere by more than places."""
    adapted = "5>1:bottleneck(rank=4)+9>3:bottleneck(rank=4)|first_pass=adapted"
    started = trial(0, adapted, 0.4, role="start: digits", is_eligible=False)
    record = with_starts(study_record([started], retrained(adapted, (0.4, 0.41, 0.42))), adapted)
    engine = StubEngine()
    References(study, engine, bound(), Silence()).run(record)
    recurrent = [request.layout for request in engine.requests if request.layout.is_recurrent]

    assert recurrent
    assert {layout.first_pass for layout in recurrent} == {FirstPass.ADAPTED}
    assert not reads_alike(adapted, "5>1:bottleneck(rank=4)")
    assert reads_alike(adapted, "1>5:bottleneck(rank=4)")


def test_an_adapted_start_has_its_own_beside_a_frozen_answer_of_its_size(
    study: optuna.Study,
) -> None:
    """What was drawn for the answer reads another first pass, where it is recurrent."""
    frozen = "5>1:bottleneck(rank=4)+9>3:bottleneck(rank=4)"
    adapted = "6>1:bottleneck(rank=4)+8>3:bottleneck(rank=4)|first_pass=adapted"
    trials = [trial(0, frozen, 0.8), trial(1, adapted, 0.4, role="start: 2", is_eligible=False)]
    held = [f for t in trials for f in retrained(t.layout, (0.4, 0.41, 0.42))]
    record = with_starts(study_record(trials, held), adapted)
    engine = StubEngine()
    References(study, engine, bound(), Silence()).run(record)
    passes = [r.layout.first_pass for r in engine.requests if r.layout.is_recurrent]

    assert set(passes) == {FirstPass.FROZEN, FirstPass.ADAPTED}
