from dataclasses import replace

import pytest

from benchmarks.aims import Aim, aim_of
from benchmarks.regrets import curves, introduction, overview, page
from benchmarks.results import Split, grouped
from tests.benchmarks.made_up import RESULT

WHOLE = replace(RESULT, space="singles", n_open=99)


def test_sets_are_said_to_hold_single_connections_too() -> None:
    """A space is described by what it holds."""
    assert "## `a`, one to six connections" in page([RESULT], (2,), 2, "made so")


@pytest.mark.parametrize(
    ("own", "random", "tpe", "met"),
    [
        (5.0, 15.0, 7.5, Aim.MET),
        (5.0, 14.5, 15.5, Aim.MISSED),
        (5.0, 40.0, 7.0, Aim.MISSED),
        (13.0, None, None, Aim.MET),
        (14.0, None, None, Aim.OPEN),
        (14.0, None, 20.0, Aim.MISSED),
        (None, None, None, Aim.OPEN),
        (None, None, 40.0, Aim.MISSED),
    ],
)
def test_the_default_is_to_need_a_third_of_randoms_trials_and_two_thirds_of_tpes(
    own: float | None, random: float | None, tpe: float | None, met: Aim
) -> None:
    """Who was not there yet after 40 trials needs 41 or more, which may leave it open."""
    assert aim_of({"guided": own, "random": random, "tpe": tpe}, 40) is met


def test_no_aim_is_judged_without_a_rival() -> None:
    """Nor without the default."""
    assert aim_of({"guided": 1.0, "tpe": 2.0}, 40) is None
    assert aim_of({"random": 9.0, "tpe": 2.0}, 40) is None


def test_the_page_begins_with_the_medians_of_all_tasks() -> None:
    """A table for each space, and on which of them the default is as good as it is meant to be."""
    found = [
        replace(RESULT, task=task, sampler=sampler, trials=trials)
        for task, trials_of in (("a", (3.0, None, 5.0)), ("b", (3.0, 9.0, 4.0)))
        for sampler, trials in zip(("guided", "random", "tpe"), trials_of, strict=True)
    ]

    by_validation = overview(found, 40)
    assert by_validation[3 : by_validation.index("### By test scores") - 1] == [
        "### By validation scores",
        "",
        "| one to six connections | `a` | `b` |",
        "| --- | ---: | ---: |",
        "| guided | 3 | 3 |",
        "| random | > 40 | 9 |",
        "| tpe | 5 | 4 |",
        "| random order | 50 | 50 |",
        "",
        (
            "`guided` is meant to need at most a third of random search's trials and two thirds "
            "of TPE's. By validation scores it does on 1: `a` (one to six connections); it does "
            "not on 1: `b` (one to six connections)."
        ),
    ]


@pytest.mark.slow
def test_the_picture_draws_random_order() -> None:
    """Beside the samplers, as a line of its own."""
    without = curves([replace(RESULT, random_order=())])

    assert curves([RESULT]).count("#9ca3af") > without.count("#9ca3af")


def test_what_is_close_by_test_is_told_beside_what_is_close_by_validation() -> None:
    """A second table of medians, and columns of each world's; within the curve's trials alone."""
    never = replace(RESULT, sampler="random", test_trials=None)
    said = page([RESULT, never], (1, 2), 40, "made so")
    by_test = said[said.index("### By test scores") :]

    assert "| tpe | 7 |\n| random | > 2 |\n| random order | 29 |" in by_test
    assert "| sampler | trials | trials by test | regret after 1 | regret after 2 |" in said
    assert "| tpe | 3 (1 to never) | 7 (2 to never) | 0.1000 | 0.1000 | 0.1000 | 0.4000 |" in said


def test_the_aim_is_judged_by_both_splits() -> None:
    """Whose answers may differ."""
    lines = overview(
        [
            replace(RESULT, sampler=name, trials=trials, test_trials=test)
            for name, trials, test in (("guided", 1, 2), ("random", 9, 2), ("tpe", 9, 2))
        ],
        40,
    )
    meant = [line for line in lines if line.startswith("`guided` is meant")]

    assert [line.split("By ")[1].split(" 1:")[0] for line in meant] == [
        f"{Split.VALIDATION} scores {Aim.MET}",
        f"{Split.TEST} scores {Aim.MISSED}",
    ]


def test_a_search_is_called_real_where_all_is_tabled_alone() -> None:
    """Single connections of a table that is still being built are as closed as sets."""
    assert "Single connections are all tabled" in introduction([WHOLE], 2, "")
    said = introduction([replace(WHOLE, n_open=100), WHOLE], 2, "")
    assert "Single connections are all tabled" not in said
    assert "Of single connections it may choose what is tabled and nothing else" in said


def test_sets_are_told_of_where_they_are_replayed() -> None:
    """That their searches see what they are judged by, and that they are closed."""
    said = "of sets of several, which have one seed, a search"

    assert said not in introduction([WHOLE], 2, "")
    assert said in introduction([WHOLE, RESULT], 2, "")
    assert "Of sets it may choose what is tabled" in introduction([WHOLE, RESULT], 2, "")


def test_the_defaults_advantages_are_told_where_it_was_run() -> None:
    """What was chosen on these tasks is not held out on them."""
    assert "decisions/0018" not in introduction([RESULT], 2, "")
    said = introduction([replace(RESULT, sampler="guided")], 2, "")
    assert "docs/decisions/0018-guided-sampler.md" in said
    assert "benchmarks.placements.held_out" in said
    assert "moved to the nearest tabled set" in said


def test_samplers_are_listed_from_the_fewest_trials() -> None:
    """Those that never came close last."""
    results = [
        replace(WHOLE, sampler=name, trials=trials)
        for name, trials in (("slow", None), ("fast", 3.0))
    ]
    said = page(results, (2,), 2, "made so")

    assert list(grouped(results)) == [("a", "singles")]
    assert said.index("| fast | 3 (1 to never)") < said.index("| slow | never")
    assert "random order: 50.0 trials on average, median 50" in said
