"""References that were drawn for a former answer, and what of them still counts."""

from dataclasses import replace

import optuna
import pytest

from placement_search.study.answer import find_answer
from placement_search.study.progress import Silence
from placement_search.study.random_gain import RandomGain
from placement_search.study.records import ReferenceRecord, StudyRecord, read_references
from placement_search.study.references import References
from tests.study.stub_engine import StubEngine
from tests.tiny_records import finals, score_card, study_record, trial
from tests.tiny_spaces import bound

FORMER = "1>2:bottleneck(rank=4)"
ANSWER = "8>9:bottleneck(rank=4)"
LARGER = "0>1:bottleneck(rank=8)+4>5:bottleneck(rank=8)"


def answered_by(*notations: str, n_seeds: int = 3) -> StudyRecord:
    """A study after its finals; the last of these is the best."""
    trials = [trial(0, LARGER, 0.1, role="random 1")]
    trials += [trial(n, each, 0.5 + n / 10) for n, each in enumerate(notations, start=1)]
    scores = [[(t.score or 0) + seed / 100 for seed in range(n_seeds)] for t in trials]
    held = [f for t, each in zip(trials, scores, strict=True) for f in finals(t.layout, each)]
    record = study_record(trials, held)
    return replace(record, goal=replace(record.goal, n_seeds=n_seeds))


def made(study: optuna.Study, record: StudyRecord, engine: StubEngine | None = None) -> StudyRecord:
    """The record after its references, beside those that the study or the record holds."""
    record = replace(record, references=record.references + read_references(study.user_attrs))
    References(study, engine or StubEngine(), bound(), Silence()).run(record)
    return replace(record, references=read_references(study.user_attrs))


def gain_of(record: StudyRecord) -> RandomGain:
    """Of the answer, which there is."""
    answer = find_answer(record)
    assert answer is not None
    return answer.random


def begin_former(study: optuna.Study) -> None:
    """Train references of the former answer until an interruption."""

    def stop(number: int) -> None:
        if number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(study, answered_by(FORMER), StubEngine(before=stop))


def test_interrupted_references_of_a_former_answer_do_not_count(study: optuna.Study) -> None:
    """Nothing goes on with them, so the gain would call itself incomplete for ever."""
    begin_former(study)
    resumed = gain_of(made(study, answered_by(FORMER, ANSWER)))
    undisturbed = gain_of(made(optuna.create_study(), answered_by(FORMER, ANSWER)))

    assert resumed == undisturbed
    assert (resumed.n_layouts, resumed.n_seeds) == (2, 3)


def test_references_from_before_more_seeds_do_not_count(study: optuna.Study) -> None:
    """Where the answer is another since: those of three seeds stay at three."""
    made(study, answered_by(FORMER))
    grown = gain_of(made(study, answered_by(FORMER, ANSWER, n_seeds=5)))
    new = gain_of(made(optuna.create_study(), answered_by(FORMER, ANSWER, n_seeds=5)))

    assert grown == new
    assert (grown.n_seeds, grown.most_seeds) == (5, 5)


def test_its_own_that_are_not_gone_on_with_do_not_count(study: optuna.Study) -> None:
    """As of a layout from elsewhere, once the answer of its size has as many as are wanted."""
    begin_former(study)
    made(study, answered_by(FORMER, ANSWER))
    again, engine = answered_by(ANSWER, FORMER), StubEngine()
    gain = gain_of(made(study, again, engine))

    assert engine.requests == []
    assert (gain.n_layouts, gain.n_seeds, gain.most_seeds) == (2, 3, 3)


def test_one_training_for_several_layouts_is_one_seed(study: optuna.Study) -> None:
    """Else a layout would be taken for complete, and the gain rest on one too few."""
    layout = "3>3:bottleneck(rank=4)"
    held = tuple(
        ReferenceRecord("random", layout, like, 1, score_card(layout, 0.5, 0.5))
        for like in ("first", "second", "third")
    )
    gain = gain_of(made(study, replace(answered_by(ANSWER), references=held)))

    assert (gain.n_layouts, gain.n_seeds) == (2, 3)
