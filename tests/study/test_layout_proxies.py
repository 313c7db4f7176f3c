"""Layout proxies of a study's trials: which are computed, and that they are computed once."""

import optuna
import pytest
import torch
from optuna.trial import TrialState

from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.modules import parse_layout
from placement_search.proxies.factors import FactorStream
from placement_search.proxies.layouts import LAYOUT_PROXIES
from placement_search.space.training import NO_CHOICE, TrainingChoice
from placement_search.study import layout_proxies as scored
from placement_search.study import records
from placement_search.study.progress import Silence
from tests.tiny_task import tiny_bench

NOTATIONS = ("1>1:bottleneck(rank=2)", "2>5:bottleneck(rank=2)", "5>2:bottleneck(rank=2)")


@pytest.fixture(scope="module")
def bench() -> Workbench:
    """A tiny vision backbone on its task."""
    return tiny_bench()


def study_of(
    *ends: tuple[str, TrialState, bool], training: TrainingChoice = NO_CHOICE
) -> optuna.Study:
    """A study with trials of these layouts; the last word says whether the space admits it."""
    study = optuna.create_study(direction="maximize")
    for notation, state, is_eligible in ends:
        layout = parse_layout(notation)
        attributes = {
            records.LAYOUT: layout.notation,
            records.LAYOUT_ID: training.id_with(layout.id),
            records.IS_ELIGIBLE: is_eligible,
        }
        value = 0.5 if state is TrialState.COMPLETE else None
        study.add_trial(optuna.create_trial(state=state, value=value, user_attrs=attributes))
    return study


def stored(study: optuna.Study) -> dict[str, dict[str, float]]:
    """Scores by layout id."""
    prefix = records.LAYOUT_PROXIES
    return {k.removeprefix(prefix): v for k, v in study.user_attrs.items() if k.startswith(prefix)}


@pytest.mark.slow
def test_admitted_complete_trials_are_scored(bench: Workbench) -> None:
    """By all proxies; failed trials and baselines outside the space are left out."""
    study = study_of(
        (NOTATIONS[0], TrialState.COMPLETE, True),
        (NOTATIONS[1], TrialState.FAIL, True),
        (NOTATIONS[2], TrialState.COMPLETE, False),
    )
    scored.store_layout_proxies(study, bench, 0, 8, Silence())

    layout = parse_layout(NOTATIONS[0])
    assert stored(study) == {layout.id: scored.layout_proxies(bench, layout, 0, 8)}
    assert stored(study)[layout.id].keys() == LAYOUT_PROXIES.keys()


def test_scores_are_computed_once(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A continued search scores what is new, and a long one stops at a number."""
    study = study_of(*((notation, TrialState.COMPLETE, True) for notation in NOTATIONS))
    monkeypatch.setattr(scored, "MAX_LAYOUTS", 2)
    scored.store_layout_proxies(study, bench, 0, 8, Silence())
    first = stored(study)
    monkeypatch.setattr(scored, "layout_proxies", lambda *_: pytest.fail("computed again"))
    scored.store_layout_proxies(study, bench, 0, 8, Silence())

    assert first.keys() == {parse_layout(notation).id for notation in NOTATIONS[:2]}
    assert stored(study) == first


def test_a_layout_is_scored_once_however_it_is_trained(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scores are those of the untrained layout, and a continued search finds them."""
    study = study_of((NOTATIONS[0], TrialState.COMPLETE, True), training=TrainingChoice(0.1))
    scored.store_layout_proxies(study, bench, 0, 8, Silence())
    monkeypatch.setattr(scored, "layout_proxies", lambda *_: pytest.fail("computed again"))
    scored.store_layout_proxies(study, bench, 0, 8, Silence())

    assert stored(study).keys() == {parse_layout(NOTATIONS[0]).id}


def test_a_layout_that_needs_too_much_memory_has_no_scores(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, the others have theirs, and the search goes on to its finals."""
    study = study_of(*((notation, TrialState.COMPLETE, True) for notation in NOTATIONS[:2]))
    large, said = parse_layout(NOTATIONS[0]), list[str]()

    def proxies(_: Workbench, layout: Layout, *__: int) -> dict[str, float]:
        if layout == large:
            raise torch.OutOfMemoryError("no more")
        return {"made up": 0.5}

    progress = Silence()
    monkeypatch.setattr(progress, "say", said.append)
    monkeypatch.setattr(scored, "layout_proxies", proxies)
    scored.store_layout_proxies(study, bench, 0, 8, progress)

    assert stored(study) == {parse_layout(NOTATIONS[1]).id: {"made up": 0.5}}
    assert said == [f"layout proxies: none of {large.notation}: out of memory: no more"]


def test_layouts_are_scored_on_no_more_examples_at_once_than_they_are_trained_on(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who took a small batch for want of memory has no more for a proxy."""
    sizes: list[int] = []

    def written(stream: FactorStream, *_: object) -> None:
        sizes.append(stream.batch_size)

    monkeypatch.setattr(scored, "write_layout", written)
    monkeypatch.setattr(scored, "LAYOUT_PROXIES", {})
    for batch_size in (4, 1000):
        scored.layout_proxies(bench, parse_layout(NOTATIONS[0]), 0, batch_size)

    assert sizes == [4, 32]
