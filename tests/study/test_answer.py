from collections.abc import Sequence
from dataclasses import replace

import pytest
from scipy import stats

from placement_search.evaluation.estimates import Estimate, mean_estimate
from placement_search.study.answer import Answer, find_answer, read_finalists
from placement_search.study.comparisons import Comparison
from placement_search.study.records import FinalRecord, StudyRecord, TrialEnd, TrialRecord
from tests.tiny_records import finals, study_record, trial

SMALL, MIDDLE, LARGE = (f"3>9:bottleneck(rank={rank})" for rank in (1, 4, 16))
EVERY_LAYER = "+".join(f"{node}>{node}:bottleneck(rank=8)" for node in range(1, 25))
RANDOM_1, RANDOM_2, RANDOM_3 = (f"{node}>{node}:bottleneck(rank=4)" for node in (1, 2, 3))
BEST_SCORES = (0.80, 0.84, 0.82)
"""Mean 0.82, standard error 0.0115."""


def answer_of(trials: Sequence[TrialRecord], *retrained: list[FinalRecord]) -> Answer:
    found = find_answer(study_record(trials, [final for made in retrained for final in made]))
    assert found is not None
    return found


def searched(*notations: str) -> list[TrialRecord]:
    return [trial(number, notation) for number, notation in enumerate(notations)]


def with_random(test_scores: Sequence[Sequence[float]]) -> StudyRecord:
    """A searched layout and random ones after their finals, with these test scores."""
    randoms = [RANDOM_1, RANDOM_2, RANDOM_3]
    trials = [trial(0, LARGE), *(
        trial(number, notation, role=f"random {number}")
        for number, notation in enumerate(randoms, start=1)
    )]  # fmt: skip
    retrained = finals(LARGE, BEST_SCORES, test_scores[0])
    for notation, scores in zip(randoms, test_scores[1:], strict=False):
        retrained += finals(notation, (0.5, 0.51, 0.49), scores)
    return study_record(trials, retrained)


def timed(made: Sequence[FinalRecord], *factors: float) -> list[FinalRecord]:
    """Finals with a measured latency each."""
    return [
        replace(
            final,
            card=replace(final.card, costs=replace(final.card.costs, latency_factor=factor)),
        )
        for final, factor in zip(made, factors, strict=True)
    ]


def test_what_is_measured_over_the_limit_on_latency_is_never_the_answer() -> None:
    """Though its prediction kept the limit; where nothing else is left there is no answer."""
    slow = timed(finals(LARGE, BEST_SCORES), 1.3, 1.4, 1.1)
    fast = timed(finals(SMALL, (0.5, 0.51, 0.52)), 1.3, 1.1, 1.0)
    record = study_record(searched(LARGE, SMALL), [*slow, *fast])
    limited = replace(record, definition=replace(record.definition, max_latency="1.2x"))
    answer, free = find_answer(limited), find_answer(record)
    assert answer is not None
    assert free is not None

    assert free.chosen.trial.layout == LARGE
    assert answer.chosen.trial.layout == answer.best.trial.layout == SMALL
    assert find_answer(replace(limited, finals=tuple(slow))) is None
    assert [f.costs.latency_factor for f in read_finalists(limited)] == [1.3, 1.1]


def test_there_is_no_answer_before_the_finals() -> None:
    """A search's own scores chose its finalists, so they are no measure of them."""
    assert find_answer(study_record(searched(SMALL, LARGE))) is None


def test_there_is_no_answer_among_layouts_that_are_not_admitted() -> None:
    """Baselines beyond the space are references alone."""
    record = study_record(
        [trial(0, EVERY_LAYER, role="every layer, sequential", is_eligible=False)],
        finals(EVERY_LAYER, BEST_SCORES),
    )

    assert find_answer(record) is None


def test_a_layout_that_is_not_admitted_is_never_chosen() -> None:
    """However good it is, and however small."""
    answer = answer_of(
        [
            trial(0, "none", role="head only", is_eligible=False),
            trial(1, EVERY_LAYER, role="every layer, sequential", is_eligible=False),
            trial(2, SMALL),
        ],
        finals("none", (0.9, 0.9, 0.91)),
        finals(EVERY_LAYER, (0.95, 0.95, 0.96)),
        finals(SMALL, (0.5, 0.52, 0.51)),
    )

    assert answer.chosen.trial.layout == answer.best.trial.layout == SMALL


@pytest.mark.parametrize(("share", "chosen"), [(0.99, SMALL), (1.01, LARGE)])
def test_the_smallest_within_one_standard_error_is_chosen(share: float, chosen: str) -> None:
    """Just within it is good enough, just beyond it is not; the error is the best layout's own."""
    distance = share * float(stats.sem(BEST_SCORES))
    mean = sum(BEST_SCORES) / 3 - distance
    answer = answer_of(
        searched(LARGE, SMALL),
        finals(LARGE, BEST_SCORES),
        finals(SMALL, (mean - 0.1, mean, mean + 0.1)),
    )

    assert answer.best.trial.layout == LARGE
    assert answer.chosen.trial.layout == chosen


@pytest.mark.parametrize(
    ("large", "small"),
    [
        ([64 / 90] * 3, (63 / 90, 65 / 90, 64 / 90)),
        ([0.81] * 5, (0.81,) * 4),
        ([65 / 90] * 6, (65 / 90,) * 5),
    ],
)
def test_the_last_bit_of_a_mean_decides_nothing(
    large: Sequence[float], small: Sequence[float]
) -> None:
    """Where the best one's seeds agree there is no error that would cover it."""
    answer = answer_of(
        searched(LARGE, SMALL), finals(LARGE, tuple(large)), finals(SMALL, tuple(small))
    )

    assert answer.chosen.trial.layout == SMALL


@pytest.mark.parametrize("right", [50, 52])
def test_the_last_bit_of_a_mean_sets_no_floor(right: int) -> None:
    """Of two as good ones the first is the one that is smaller, whose error then counts."""
    spread = finals(MIDDLE, ((right - 1) / 90, (right + 1) / 90, right / 90))
    answer = answer_of(
        searched(LARGE, MIDDLE, SMALL),
        finals(LARGE, (right / 90,) * 3),
        spread,
        finals(SMALL, ((right - 0.1) / 90,) * 3),
    )

    assert (answer.best.trial.layout, answer.chosen.trial.layout) == (MIDDLE, SMALL)


def test_of_several_near_layouts_the_one_with_the_fewest_parameters_is_chosen() -> None:
    """Not the best of the near ones."""
    answer = answer_of(
        searched(LARGE, MIDDLE, SMALL),
        finals(LARGE, BEST_SCORES),
        finals(MIDDLE, (0.81, 0.82, 0.82)),
        finals(SMALL, (0.81, 0.81, 0.82)),
    )

    assert answer.chosen.trial.layout == SMALL


def test_equal_sizes_are_told_apart_by_their_scores() -> None:
    """Nothing is gained by the worse of two."""
    other = "5>2:bottleneck(rank=16)"
    answer = answer_of(
        searched(other, LARGE), finals(other, (0.81, 0.82, 0.82)), finals(LARGE, BEST_SCORES)
    )

    assert answer.chosen is answer.best
    assert answer.chosen.trial.layout == LARGE


def test_the_choice_does_not_see_the_test_split() -> None:
    """Exchanging test scores changes what is reported and not what is chosen."""
    high, low = (0.9, 0.91, 0.92), (0.1, 0.11, 0.12)
    answers = [
        answer_of(
            searched(LARGE, SMALL),
            finals(LARGE, BEST_SCORES, large),
            finals(SMALL, (0.5, 0.6, 0.55), small),
        )
        for large, small in ((high, low), (low, high))
    ]

    assert [answer.chosen.trial.layout for answer in answers] == [LARGE, LARGE]
    assert answers[0].chosen.test != answers[1].chosen.test


def test_an_admitted_baseline_may_be_the_answer() -> None:
    """A random layout that wins is recommended, and not compared with those it was picked from."""
    record = with_random([(0.7, 0.71, 0.72), *[(0.5, 0.51, 0.52)] * 3])
    kept = [final for final in record.finals if final.layout_id != record.trials[0].layout_id]
    answer = answer_of(record.trials, kept)

    assert answer.chosen.trial.role.startswith("random")
    assert answer.comparisons == ()
    assert "drawn apart" in answer.random.reason


@pytest.mark.parametrize(
    ("cost", "chosen"), [(None, "4>1"), ("parameters", "4>1"), ("flops", "1>2")]
)
def test_a_cost_that_was_asked_for_decides_among_equals(cost: str | None, chosen: str) -> None:
    """A second pass of the backbone costs few parameters and many operations."""
    twice, once = "4>1:bottleneck(rank=4)", "1>2:bottleneck(rank=5)"
    dear = [
        replace(f, card=replace(f.card, costs=replace(f.card.costs, n_flops=40_000_000)))
        for f in finals(twice, (0.80, 0.84, 0.82))
    ]
    record = study_record(searched(twice, once), [*dear, *finals(once, (0.80, 0.84, 0.82))])
    found = find_answer(replace(record, definition=replace(record.definition, cost=cost)))

    assert found is not None
    assert found.chosen.trial.layout.startswith(chosen)


def test_a_finalist_is_known_by_its_complete_trial() -> None:
    """Not by an earlier one of the same layout that failed and was queued again."""
    failed = replace(trial(0, SMALL, None), end=TrialEnd.FAILED, reason="loss is not finite")
    answer = answer_of([failed, trial(1, SMALL)], finals(SMALL, BEST_SCORES))

    assert answer.chosen.trial.number == 1


def test_random_layouts_count_once_each() -> None:
    """Seeds of one layout share its placement, so they are no independent draws of placements."""
    scores = [(0.7, 0.71, 0.72), (0.4, 0.5, 0.6), (0.5, 0.6, 0.7), (0.3, 0.3, 0.3)]
    answer = find_answer(with_random(scores))
    assert answer is not None
    (comparison,) = answer.comparisons
    means = [0.5, 0.6, 0.3]
    interval = stats.ttest_ind(scores[0], means, equal_var=False).confidence_interval(0.95)

    assert comparison.name == "3 random layouts"
    assert comparison.test == mean_estimate(means)
    assert comparison.gain.n == 3 + 3
    # Two ways of rounding.
    assert comparison.gain.mean == pytest.approx(0.71 - sum(means) / 3, rel=1e-12)
    assert (comparison.gain.low, comparison.gain.high) == pytest.approx(tuple(interval), rel=1e-9)


def test_a_single_random_layout_is_not_compared() -> None:
    """One draw says nothing about the spread of random layouts."""
    answer = find_answer(with_random([(0.7, 0.71, 0.72), (0.5, 0.51, 0.52)]))

    assert answer is not None
    assert answer.comparisons == ()


def test_named_baselines_are_compared_in_the_studys_order_then_random_ones() -> None:
    """Whatever their scores."""
    record = with_random([(0.7, 0.71, 0.72), *[(0.5, 0.51, 0.52)] * 3])
    named = [
        trial(4, "none", role="head only", is_eligible=False),
        trial(5, EVERY_LAYER, role="every layer, sequential", is_eligible=False),
    ]
    answer = answer_of(
        [*record.trials, *named],
        list(record.finals),
        finals(EVERY_LAYER, (0.9, 0.91, 0.92)),
        finals("none", (0.2, 0.21, 0.22)),
    )

    assert [comparison.name for comparison in answer.comparisons] == [
        "head only",
        "every layer, sequential",
        "3 random layouts",
    ]
    assert [comparison.verdict for comparison in answer.comparisons] == [
        "better",
        "worse",
        "better",
    ]


def test_a_gain_is_the_answers_mean_minus_the_baselines_on_the_test_split() -> None:
    """With the baseline's size beside it."""
    answer = answer_of(
        [trial(0, "none", role="head only", is_eligible=False), trial(1, SMALL)],
        finals("none", (0.1, 0.1, 0.1), (0.4, 0.45, 0.44)),
        finals(SMALL, (0.1, 0.1, 0.1), (0.6, 0.66, 0.63)),
    )
    (comparison,) = answer.comparisons

    assert comparison.n_adapter_parameters == 0
    # Rounding of sums.
    assert comparison.gain.mean == pytest.approx(0.63 - 0.43, rel=1e-12)
    assert comparison.test.mean == pytest.approx(0.43, rel=1e-12)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "better"),
        (-0.2, -0.01, "worse"),
        (-0.1, 0.1, "not told apart"),
        (0.0, 0.1, "not told apart"),
        (-0.1, 0.0, "not told apart"),
    ],
)
def test_the_verdict_is_the_intervals(low: float, high: float, verdict: str) -> None:
    """A difference that may be nothing is not claimed, and neither is that there is none."""
    gain = Estimate((low + high) / 2, low, high, 6)

    assert Comparison("x", 0, Estimate(0.5, 0.5, 0.5, 3), gain).verdict == verdict


def test_a_baseline_with_a_single_seed_is_not_compared() -> None:
    """One value has no spread, so interrupted finals claim nothing from it."""
    answer = answer_of(
        [
            trial(0, SMALL),
            trial(1, "none", role="head only", is_eligible=False),
            trial(2, EVERY_LAYER, role="every layer, sequential", is_eligible=False),
        ],
        finals(SMALL, (0.8, 0.81, 0.82)),
        finals("none", (0.4, 0.41, 0.42)),
        finals(EVERY_LAYER, (0.5,)),
    )

    assert [comparison.name for comparison in answer.comparisons] == ["head only"]


def test_a_layout_with_a_single_seed_is_not_chosen() -> None:
    """However lucky; with nothing else there is no answer yet."""
    lucky = finals(LARGE, (0.99,))
    answer = answer_of(searched(LARGE, SMALL), lucky, finals(SMALL, (0.8, 0.81)))

    assert answer.chosen.trial.layout == answer.best.trial.layout == SMALL
    assert find_answer(study_record(searched(LARGE, SMALL), lucky)) is None


def test_finalists_come_best_first_with_one_score_per_seed() -> None:
    """Ties go to the smaller one."""
    record = study_record(
        searched(SMALL, LARGE, MIDDLE),
        [*finals(LARGE, (0.5, 0.7)), *finals(MIDDLE, (0.6, 0.8)), *finals(SMALL, (0.7, 0.5))],
    )
    finalists = read_finalists(record)

    assert [finalist.trial.layout for finalist in finalists] == [MIDDLE, SMALL, LARGE]
    assert [finalist.validation_scores for finalist in finalists] == [
        [0.6, 0.8], [0.7, 0.5], [0.5, 0.7],
    ]  # fmt: skip


def test_a_finalist_is_called_by_its_role_or_by_its_notation() -> None:
    """As tables show it."""
    record = study_record(
        [trial(0, SMALL), trial(1, "none", role="head only", is_eligible=False)],
        [*finals(SMALL, (0.5, 0.7)), *finals("none", (0.4, 0.5))],
    )

    assert [finalist.name for finalist in read_finalists(record)] == [SMALL, "head only"]
