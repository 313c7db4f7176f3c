from dataclasses import replace

import pytest

from placement_search.evaluation.agreement import TopOverlap
from placement_search.evaluation.estimates import Estimate
from placement_search.modules import parse_layout
from placement_search.space.training import TrainingChoice
from placement_search.study.combined_proxy import COMBINED, layout_columns
from placement_search.study.correlations import (
    N_PARAMETERS,
    ProxyCorrelation,
    combined_proxy,
    proxy_correlations,
)
from placement_search.study.map_record import ProxySpread
from placement_search.study.records import ProxyMap, TrialRecord
from tests.tiny_records import study_record, trial

N_NODES = 6
SCORES = [0.5, 0.55, 0.53, 0.6, 0.7, 0.65]
WRONG_BY_SIZE = "goes the wrong way with how many connections, not with where: distrust it"
NOT_SHOWN = "points the wrong way, not shown among layouts of one size: distrust it"


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
    main = [correlation.proxy for correlation in named if not correlation.is_variant]
    assert main == ["a", "b", N_PARAMETERS]
    assert named[-1].proxy == N_PARAMETERS


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


def sized(n_trials: int) -> list[TrialRecord]:
    """Layouts of one to three sequential connections; each further one adds 1 to the score.

    Beside that the score falls with the node of the first connection. From the nineteenth on those
    of several are further apart, and those of one stand where others did.
    """
    made = []
    for number in range(n_trials):
        size, first = 1 + number % 3, number // 3 % N_NODES
        nodes = [(first + step * (1 + number // 18)) % N_NODES for step in range(size)]
        layout = "+".join(f"{node}>{node}:bottleneck(rank={4 + number // 18})" for node in nodes)
        made.append(trial(number, layout, size - 0.1 * first - 0.001 * number))
    return made


def test_a_proxy_of_size_alone_is_seen_through() -> None:
    """A constant summed up predicts scores that grow with size, and nothing within a size."""
    rising = [[1.0 + 0.01 * (s * 7 % 5 + t) for t in range(N_NODES)] for s in range(N_NODES)]
    made = by_name(proxy_correlations(study_record(sized(36), proxy_map=proxy_map(flat=rising))))
    found = made["flat"]

    assert found.correlation is not None
    assert found.correlation.low > 0.5
    assert found.within is not None
    assert found.within.low <= 0
    assert found.verdict.startswith("predicts how many connections, not where")


def test_a_proxy_of_places_is_seen_within_sizes_and_alone() -> None:
    """Sums of one to three connections rank rightly among layouts of one size."""
    falling = on_diagonal([10.0 - node for node in range(N_NODES)])
    made = by_name(proxy_correlations(study_record(sized(36), proxy_map=proxy_map(good=falling))))
    found = made["good"]

    assert found.within is not None
    assert found.single is not None
    assert found.single.n == N_NODES
    assert found.single.mean > 0.9
    assert found.verdict == "predicts the scores here"


def test_a_proxy_that_size_turns_round_is_seen_within_sizes() -> None:
    """Where larger layouts do worse, a good proxy's sums point the wrong way over all of them."""
    falling = on_diagonal([10.0 - node for node in range(N_NODES)])
    worse = [
        trial(t.number, t.layout, (t.score or 0.0) - 2 * (1 + t.number % 3)) for t in sized(36)
    ]
    made = by_name(proxy_correlations(study_record(worse, proxy_map=proxy_map(good=falling))))
    found = made["good"]

    assert found.correlation is not None
    assert found.correlation.high < 0
    assert found.verdict.startswith("predicts where, but only among layouts with the same number")


@pytest.mark.parametrize(
    ("within", "verdict"),
    [
        (None, "predicts them the wrong way round"),
        (Estimate(-0.5, -0.7, -0.2, 40), "predicts them the wrong way round"),
        (Estimate(-0.3, -0.6, 0.0, 40), NOT_SHOWN),
        (Estimate(0.1, -0.2, 0.4, 40), WRONG_BY_SIZE),
    ],
)
def test_a_sign_that_comes_from_size_is_seen_through(within: Estimate | None, verdict: str) -> None:
    """Below zero as above: what does not hold within a size says nothing of places."""
    found = ProxyCorrelation("x", Estimate(-0.6, -0.8, -0.3, 50), within=within)

    assert found.verdict == verdict


UNCHECKED = "not checked among layouts of one size: distrust it"


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (Estimate(0.6, 0.3, 0.8, 50), f"predicts the scores, {UNCHECKED} there"),
        (Estimate(-0.6, -0.8, -0.3, 50), f"points the wrong way, {UNCHECKED}"),
    ],
)
def test_what_was_not_checked_within_a_size_is_distrusted_there(
    found: Estimate, verdict: str
) -> None:
    """Sizes differ, and too few layouts share one."""
    assert ProxyCorrelation("x", found, sizes_differ=True).verdict == verdict
    assert UNCHECKED not in ProxyCorrelation("x", found).verdict
    assert UNCHECKED not in ProxyCorrelation(N_PARAMETERS, found, sizes_differ=True).verdict


def test_sizes_that_nobody_shares_are_seen() -> None:
    """One layout each of one to six connections says nothing within a size."""
    alone = [
        trial(n, "+".join(f"{node}>{node}:bottleneck(rank=4)" for node in range(n + 1)), n / 10)
        for n in range(N_NODES)
    ]
    known = proxy_map(same=on_diagonal([1.0] * N_NODES))
    differ, alike = (
        by_name(proxy_correlations(study_record(each, proxy_map=known)))["same"]
        for each in (alone, trials())
    )

    assert differ.within is alike.within is None
    assert differ.is_unchecked
    assert not alike.is_unchecked


def test_layouts_of_one_size_are_not_split() -> None:
    """There is nothing to compare within."""
    record = study_record(trials(), proxy_map=proxy_map(same=on_diagonal(SCORES)))
    found = by_name(proxy_correlations(record))["same"]

    assert found.within is None
    assert found.single is None
    assert found.top is None


def test_coverage_and_random_heads_are_variants() -> None:
    """They stand beside the proxy that they vary, under names of their own."""
    spread = ProxySpread(4, 3, {}, {}, {"same": on_diagonal(SCORES)})
    known = replace(proxy_map(same=on_diagonal(SCORES)), spread=spread)
    made = by_name(proxy_correlations(study_record(trials(), proxy_map=known)))

    assert {name for name, found in made.items() if found.is_variant} == {
        "coverage of same",
        "same@random_head",
    }
    # A single connection covers what it scores.
    assert made["coverage of same"].correlation == made["same"].correlation


def test_layout_proxies_are_held_against_the_trials_that_have_them() -> None:
    """Which may be fewer."""
    record = study_record(trials(), proxy_map=proxy_map(same=on_diagonal(SCORES)))
    known = {t.layout_id: {"written_gradient": t.score or 0.0} for t in record.trials[:5]}
    made = by_name(proxy_correlations(replace(record, layout_proxies=known)))

    found = made["written_gradient"].correlation
    assert found is not None
    assert found.n == 5
    # A correlation of ranks computed in float64.
    assert found.mean == pytest.approx(1, abs=1e-12)


def test_what_a_proxy_can_not_tell_apart_counts_once() -> None:
    """Sums see no ranks and no training; layout proxies no training; else luck looks certain."""
    often = [
        replace(
            trial(number, f"{node}>{node}:bottleneck(rank={rank})", score + 0.001 * number),
            training=TrainingChoice(rate),
        )
        for number, (rank, rate) in enumerate([(4, 0.1), (4, 0.2), (8, 0.1)])
        for node, score in enumerate(SCORES)
    ]
    scores = {t.layout_id: {"written_gradient": t.score or 0.0} for t in often}
    record = study_record(often, proxy_map=proxy_map(same=on_diagonal(SCORES)))
    made = by_name(proxy_correlations(replace(record, layout_proxies=scores)))
    counted = {name: found.correlation.n for name, found in made.items() if found.correlation}

    assert counted["same"] == len(SCORES)
    assert counted["written_gradient"] == 2 * len(SCORES)
    assert counted[N_PARAMETERS] == 2 * len(SCORES)


def test_layout_proxies_are_found_however_trials_are_trained() -> None:
    """They are known by the layout alone."""
    fast = TrainingChoice(0.1)
    known = {t.layout_id: {"written_gradient": t.score or 0.0} for t in trials()}
    trained = [replace(t, layout_id=fast.id_with(t.layout_id), training=fast) for t in trials()]
    record = study_record(trained, proxy_map=proxy_map(same=on_diagonal(SCORES)))
    made = by_name(proxy_correlations(replace(record, layout_proxies=known)))

    found = made["written_gradient"].correlation
    assert found is not None
    assert found.n == len(trained)


def test_the_combined_proxy_is_judged_by_places_that_it_had_not_seen() -> None:
    """It is there from twenty of them on, and finds what one column tells."""
    falling = on_diagonal([10.0 - node for node in range(N_NODES)])
    record = study_record(sized(36), proxy_map=proxy_map(good=falling))
    fitted = combined_proxy(record)
    made = by_name(proxy_correlations(record))

    assert fitted is not None
    assert made[COMBINED].correlation == fitted.held_out
    assert fitted.is_trusted
    few = study_record(sized(19), proxy_map=record.proxy_map)
    assert COMBINED not in by_name(proxy_correlations(few))
    assert combined_proxy(study_record(sized(36))) is None


def test_a_new_layouts_combined_score_needs_no_backbone() -> None:
    """The columns that the fit was made of can be had of any layout."""
    falling = on_diagonal([10.0 - node for node in range(N_NODES)])
    record = study_record(sized(36), proxy_map=proxy_map(good=falling))
    fitted = combined_proxy(record)

    assert fitted is not None
    assert record.proxy_map is not None
    small, large = (
        fitted.score(layout_columns(record.proxy_map.all_scores, parse_layout(notation)))
        for notation in ("5>5:bottleneck", "0>0:bottleneck+1>1:bottleneck+2>2:bottleneck")
    )
    assert small < large


@pytest.mark.parametrize(
    ("p_value", "verdict"),
    [(0.5, "predicts the order, but not which are best"), (0.01, "predicts the scores here")],
)
def test_a_verdict_says_where_the_best_are_missed(p_value: float, verdict: str) -> None:
    """A high correlation may come from the worst layouts alone."""
    top = TopOverlap(Estimate(0.2, 0.01, 0.7, 50), 5, 0.1, p_value)

    assert ProxyCorrelation("x", Estimate(0.6, 0.4, 0.8, 50), top=top).verdict == verdict
