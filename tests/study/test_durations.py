"""How long a search would take, from a round pace and from a tiny backbone's."""

from dataclasses import replace

import pytest
import torch

from placement_search.evaluation import timing
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.timing import Timing, prepare_timing
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.study import durations as module
from placement_search.study.course import Course
from placement_search.study.durations import Durations, Pace, durations, pace_of
from placement_search.study.settings import SearchSettings
from placement_search.study.spaces import study_space
from placement_search.study.starts import StartLayout
from tests.tiny_task import tiny_bench

SETTINGS = SearchSettings(
    max_params="900", max_flops="1.5x", training=TrainingPlan(epochs=2, batch_size=16)
)


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return tiny_bench()


def test_a_trial_takes_all_its_trainings() -> None:
    """One for each replicate, each with its scores; over parts of the data ninth, third and all."""
    pace, plan = Pace(epoch=9.0, score=1.0, test=2.0), TrainingPlan(epochs=2, reports_per_epoch=3)

    def trial(course: Course, *, is_searched: bool = True) -> float:
        return pace.trial(course, Layout(), is_searched=is_searched)

    once = replace(plan, reports_per_epoch=1)
    assert trial(Course(plan)) == 2 * (9 + 3)
    assert trial(Course(once, "epochs", 5)) == 5 * 2 * (9 + 1)
    assert trial(Course(once, "data")) == 2 * (1 + 3 + 9 + 3)
    assert trial(Course(once, "data"), is_searched=False) == 2 * (9 + 1)


def test_a_final_is_scored_at_its_end_alone() -> None:
    """On the validation and on the test split, however often trials are scored."""
    plan = TrainingPlan(epochs=4, reports_per_epoch=8)

    assert Pace(epoch=9.0, score=1.0, test=2.0).final(plan) == 4 * 9 + 1 + 2


@pytest.fixture(name="timing")
def short_copy(bench: Workbench) -> Timing:
    return prepare_timing(bench, 16)


def test_what_is_timed_has_two_classes(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head can't be fitted to one, and most examples may be of one."""
    monkeypatch.setattr(timing, "MIN_TIMED", 4)
    labels = (torch.arange(len(bench.task.train)) == 5).long()
    rare = replace(bench.task, train=replace(bench.task.train, labels=labels))

    timed = prepare_timing(Workbench(bench.backbone, rare), 1).bench.task.train

    assert set(timed.labels.tolist()) == {0, 1}


PACE = Pace(epoch=1.0, score=0.5, test=0.25)


@pytest.fixture(autouse=True)
def paced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every layout takes the same round time, in tests that count."""
    if "timing" in request.fixturenames:
        monkeypatch.setattr(module, "pace_of", lambda *_: PACE)


def counted(
    settings: SearchSettings, bench: Workbench, timing: Timing, n_possible: int | None = None
) -> Durations:
    """The durations with ten layouts queued."""
    space = study_space(settings, bench)
    return durations(settings, space, bench, timing, (Layout(), Layout()), (10, n_possible))


def test_the_search_takes_its_trials_and_its_finals(bench: Workbench, timing: Timing) -> None:
    """A trial has two epochs, each with a score; nothing for finals that are not held."""
    times = counted(SETTINGS, bench, timing)
    without = counted(replace(SETTINGS, n_finalists=0), bench, timing)
    n_layouts = SETTINGS.n_finalists + 10 + 1 + SETTINGS.n_random
    test_states = timing.cache_seconds * 24 / 72

    assert times.search == 32 * 2 * 1.5
    assert times.finals == pytest.approx(n_layouts * 5 * (2 * 1 + 0.5 + 0.25) + test_states)
    assert times.total == pytest.approx(
        times.preparation + times.proxies + times.search + times.finals
    )
    assert without.finals == 0


def test_replicates_and_layouts_from_elsewhere_are_counted(
    bench: Workbench, timing: Timing
) -> None:
    """Each replicate is a training; each such layout has random ones of its size beside it."""
    start = StartLayout("0>1:bottleneck(rank=4)", "other", "s", "f", "accuracy", 0.5, 1)
    settings = replace(SETTINGS, pruner="wilcoxon", replicates=5, start_from={"start: o": start})
    times, plain = (counted(each, bench, timing) for each in (settings, SETTINGS))

    assert times.search == 5 * plain.search
    assert times.finals - plain.finals == pytest.approx(SETTINGS.n_random * 5 * 2.75)


@pytest.mark.parametrize(
    ("limits", "n_possible", "search"),
    [
        ({"max_steps": 60}, None, 13 * 3),
        ({"max_steps": 61}, None, 14 * 3),
        ({"max_steps": 61, "concurrency": 1}, None, 11 * 3),
        ({"max_seconds": 20.0}, None, 20.0),
        ({}, 4, 14 * 3),
    ],
)
def test_limits_end_the_search(
    bench: Workbench,
    timing: Timing,
    limits: dict[str, float],
    n_possible: int | None,
    search: float,
) -> None:
    """Six steps a trial, three more begin beside; and where all are tried nothing is left."""
    times = counted(replace(SETTINGS, **limits), bench, timing, n_possible)  # type: ignore[arg-type]

    assert times.search == search


def test_parts_of_few_examples_are_rounded_up() -> None:
    """As a search trains on them: 1, 2 and 5 of 5 examples take 1, 1 and 2 steps."""
    plan = TrainingPlan(epochs=1, batch_size=4)
    settings = replace(SETTINGS, fidelity="data", training=plan, max_steps=9)

    assert module._n_trials(settings, Course(plan, "data"), (0, None), 5) == (0, 3 + 3)


@pytest.mark.parametrize(("max_steps", "n_trials"), [(4, 0), (5, 1), (8, 4), (9, 5)])
def test_switches_take_their_part_of_the_steps(max_steps: int, n_trials: int) -> None:
    """Two epochs of two steps, as a search counts them; then one step a trial."""
    plan = TrainingPlan(epochs=2, batch_size=4)
    settings = replace(
        SETTINGS, sampler="switch", training=plan, max_steps=max_steps, concurrency=1, pruner="none"
    )
    course = Course(replace(plan, epochs=1, batch_size=8))

    assert sum(module._n_trials(settings, course, (2, None), 8)) == n_trials


def test_proxies_and_switches_are_counted_where_a_search_has_them(
    bench: Workbench, timing: Timing
) -> None:
    """And what can't be counted is said."""
    settings = replace(SETTINGS, sampler="switch", n_finalists=0, pruner="none", concurrency=1)
    times = counted(settings, bench, timing)
    without = counted(replace(settings, proxy_map=False, sampler="guided"), bench, timing)
    more = counted(replace(SETTINGS, workers=2, full_fine_tuning=True), bench, timing)

    assert min(times.proxies, times.switches) > 0
    assert (without.proxies, without.switches) == (0, 0)
    assert without.left_out == ("the report and the export",)
    said = "; ".join(more.left_out)
    assert all(option in said for option in ("pruner", "concurrency", "workers", "full-fine"))


def test_a_map_that_would_take_long_is_not_made(
    bench: Workbench, timing: Timing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named among what is left out, with the command that makes it."""
    monkeypatch.setattr(module, "MAX_MAP", 1)
    times = counted(SETTINGS, bench, timing)

    assert times.proxies == 0
    assert "`placement-search map` times" in "; ".join(times.left_out)


@pytest.mark.slow
def test_a_pace_is_measured_without_scores(bench: Workbench) -> None:
    """All parts take some time, and are those of the whole splits."""
    pace = pace_of(prepare_timing(bench, 16), bench, Layout(), SETTINGS.training)

    assert min(pace.epoch, pace.score, pace.test) > 0
    assert pace.test == pytest.approx(pace.score)
