"""Layout proxies of a study's trials: which are computed, and that they are computed once."""

import optuna
import pytest
from optuna.trial import TrialState

from placement_search.evaluation.workbench import Workbench
from placement_search.modules import parse_layout
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
    scored.store_layout_proxies(study, bench, 0, Silence())

    layout = parse_layout(NOTATIONS[0])
    assert stored(study) == {layout.id: scored.layout_proxies(bench, layout, 0)}
    assert stored(study)[layout.id].keys() == LAYOUT_PROXIES.keys()


def test_scores_are_computed_once(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A continued search scores what is new, and a long one stops at a number."""
    study = study_of(*((notation, TrialState.COMPLETE, True) for notation in NOTATIONS))
    monkeypatch.setattr(scored, "MAX_LAYOUTS", 2)
    scored.store_layout_proxies(study, bench, 0, Silence())
    first = stored(study)
    monkeypatch.setattr(scored, "layout_proxies", lambda *_: pytest.fail("computed again"))
    scored.store_layout_proxies(study, bench, 0, Silence())

    assert first.keys() == {parse_layout(notation).id for notation in NOTATIONS[:2]}
    assert stored(study) == first


def test_a_layout_is_scored_once_however_it_is_trained(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scores are those of the untrained layout, and a continued search finds them."""
    study = study_of((NOTATIONS[0], TrialState.COMPLETE, True), training=TrainingChoice(0.1))
    scored.store_layout_proxies(study, bench, 0, Silence())
    monkeypatch.setattr(scored, "layout_proxies", lambda *_: pytest.fail("computed again"))
    scored.store_layout_proxies(study, bench, 0, Silence())

    assert stored(study).keys() == {parse_layout(NOTATIONS[0]).id}
