import pytest

from placement_search.evaluation.estimates import Estimate
from placement_search.modules import parse_layout
from placement_search.study.correlations import (
    N_PARAMETERS,
    ProxyCorrelation,
    layout_score,
    proxy_correlations,
)
from placement_search.study.records import ProxyMap, TrialRecord
from tests.tiny_records import study_record, trial

N_NODES = 6
SCORES = [0.5, 0.55, 0.53, 0.6, 0.7, 0.65]


def proxy_map(**scores: list[list[float]]) -> ProxyMap:
    return ProxyMap(scores, n_examples=256, loss=1.0, seconds=0.1)


def on_diagonal(values: list[float]) -> list[list[float]]:
    """A map with these scores of the sequential connections and 100 everywhere else."""
    return [
        [values[source] if source == target else 100.0 for target in range(N_NODES)]
        for source in range(N_NODES)
    ]


def trials() -> list[TrialRecord]:
    """Sequential connections at nodes 0 to 5 with the scores above, all of one size."""
    return [
        trial(node, f"{node}>{node}:bottleneck(rank=4)", score) for node, score in enumerate(SCORES)
    ]


def by_name(correlations: list[ProxyCorrelation]) -> dict[str, ProxyCorrelation]:
    return {correlation.proxy: correlation for correlation in correlations}


def test_a_layouts_score_is_the_sum_over_its_connections() -> None:
    """Read at ``[source][target]``, not the other way round."""
    scores = [[10.0 * source + target for target in range(N_NODES)] for source in range(N_NODES)]

    assert layout_score(scores, parse_layout("1>3:bottleneck+4>5:bottleneck")) == 13 + 45
    assert layout_score(scores, parse_layout("none")) == 0


def test_a_proxy_that_ranks_as_the_scores_do_correlates_perfectly() -> None:
    """Its own scale does not matter; the reverse ranking gives -1."""
    correlations = by_name(
        proxy_correlations(
            study_record(
                trials(),
                proxy_map=proxy_map(
                    same=on_diagonal([score**9 for score in SCORES]),
                    reverse=on_diagonal([-score for score in SCORES]),
                ),
            )
        )
    )
    same, reverse = correlations["same"].correlation, correlations["reverse"].correlation

    assert same is not None
    assert reverse is not None
    # A correlation of ranks computed in float64.
    assert (same.mean, reverse.mean) == pytest.approx((1, -1), abs=1e-12)
    assert correlations["same"].verdict == "predicts the scores here"
    assert correlations["reverse"].verdict == "predicts them the wrong way round"


def test_the_number_of_parameters_is_always_a_rival() -> None:
    """Last in the list, also where no proxy was computed."""
    sized = [
        trial(rank, f"1>1:bottleneck(rank={rank})", score)
        for rank, score in enumerate(sorted(SCORES), start=1)
    ]
    (rival,) = proxy_correlations(study_record(sized))
    named = proxy_correlations(
        study_record(sized, proxy_map=proxy_map(a=on_diagonal(SCORES), b=on_diagonal(SCORES)))
    )

    assert rival.proxy == N_PARAMETERS
    assert rival.correlation is not None
    # A correlation of ranks computed in float64.
    assert rival.correlation.mean == pytest.approx(1, abs=1e-12)
    assert [correlation.proxy for correlation in named] == ["a", "b", N_PARAMETERS]


def test_what_does_not_vary_correlates_with_nothing() -> None:
    """Layouts of one size, and a proxy that is the same everywhere."""
    made = by_name(
        proxy_correlations(study_record(trials(), proxy_map=proxy_map(flat=on_diagonal([1.0] * 6))))
    )

    assert made["flat"].correlation is None
    assert made[N_PARAMETERS].correlation is None
    assert made["flat"].verdict == "too few trials to tell"


def test_only_complete_trials_of_the_space_count() -> None:
    """Pruned ones have no final score; a baseline outside the space would decide by its size."""
    others = [
        trial(6, "2>5:bottleneck(rank=4)", None),
        trial(7, "5>2:bottleneck(rank=4)", 0.01, role="every layer, parallel", is_eligible=False),
        trial(8, "none", 0.9, role="head only", is_eligible=False),
    ]
    record = study_record([*trials(), *others], proxy_map=proxy_map(same=on_diagonal(SCORES)))
    correlation = by_name(proxy_correlations(record))["same"].correlation

    assert correlation is not None
    assert correlation.n == 6
    # A correlation of ranks computed in float64.
    assert correlation.mean == pytest.approx(1, abs=1e-12)


def test_admitted_baselines_count() -> None:
    """Random layouts are as good a witness as proposed ones."""
    baseline = trial(6, "2>5:bottleneck(rank=4)", 0.9, role="random 1")
    record = study_record([*trials(), baseline], proxy_map=proxy_map(same=on_diagonal(SCORES)))
    correlation = by_name(proxy_correlations(record))["same"].correlation

    assert correlation is not None
    assert correlation.n == 7


def test_too_few_trials_tell_nothing() -> None:
    """Four pairs have hardly any order."""
    record = study_record(trials()[:4], proxy_map=proxy_map(same=on_diagonal(SCORES)))

    assert by_name(proxy_correlations(record))["same"].verdict == "too few trials to tell"


def test_an_interval_around_zero_is_not_trusted() -> None:
    """The verdict is the interval's, not the mean's."""
    doubtful = ProxyCorrelation("x", Estimate(0.4, -0.1, 0.7, 12))

    assert doubtful.verdict == "can't be trusted here"
