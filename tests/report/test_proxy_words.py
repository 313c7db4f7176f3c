"""What the report says of proxies: the table's cells, and when to distrust them."""

from dataclasses import replace

import pytest

from placement_search.evaluation.agreement import TopOverlap
from placement_search.evaluation.estimates import Estimate
from placement_search.report.findings import Findings, gather_findings
from placement_search.report.proxy_table import proxies_table
from placement_search.report.proxy_words import (
    closing_proxy_sentences,
    distrust_sentences,
    proxy_sentences,
)
from placement_search.report.summary import summary_facts, summary_lines
from placement_search.study.combined_proxy import COMBINED
from placement_search.study.correlations import N_PARAMETERS, ProxyCorrelation
from placement_search.study.map_record import ProxySpread
from placement_search.study.records import StudyRecord

SURE, DOUBTFUL = Estimate(0.7, 0.5, 0.8, 40), Estimate(0.4, 0.2, 0.6, 40)
NOTHING = Estimate(0.1, -0.2, 0.4, 37)
SPREAD = ProxySpread(4, 3, {"effective_rank": 0.95, "nuclear_norm": 0.5}, {"nuclear_norm": 0.99})


def findings_of(record: StudyRecord, *correlations: ProxyCorrelation) -> Findings:
    """The findings of a study with these correlations and a spread."""
    known = record.proxy_map
    assert known is not None
    with_spread = replace(record, proxy_map=replace(known, spread=SPREAD))
    return replace(gather_findings(with_spread), correlations=correlations)


def test_a_row_holds_agreement_and_stability(record: StudyRecord) -> None:
    """Correlation, the same within sizes, the best tenth, and how stable the proxy is."""
    top = TopOverlap(Estimate(0.5, 0.07, 0.93, 40), 4, 0.1, 0.05)
    found = ProxyCorrelation("effective_rank", SURE, within=DOUBTFUL, top=top)
    (row,) = proxies_table(findings_of(record, found)).rows

    assert row == (
        "effective rank", "+0.7000", "+0.5000 to +0.8000", "+0.4000 (+0.2000 to +0.6000)",
        "50% (7% to 93%) of 4, 10% by chance", "40", "0.95", "–", "predicts the scores here",
    )  # fmt: skip


def test_variants_are_left_to_the_data(record: StudyRecord) -> None:
    """The table stays short, and the words say where the rest is."""
    findings = findings_of(
        record,
        ProxyCorrelation("fisher", SURE),
        ProxyCorrelation("coverage of fisher", SURE, is_variant=True),
    )

    assert [row[0] for row in proxies_table(findings).rows] == ["fisher"]
    assert any("report.json holds 1 variants" in said for said in distrust_sentences(findings))


def test_programs_are_told_how_far_to_trust_each_proxy(record: StudyRecord) -> None:
    """As the table tells people: agreement, the same within sizes, the best, the verdict."""
    top = TopOverlap(Estimate(0.5, 0.07, 0.93, 40), 4, 0.1, 0.05)
    findings = findings_of(
        record,
        ProxyCorrelation("fisher", SURE, within=NOTHING, top=top),
        ProxyCorrelation("naswot", None),
        ProxyCorrelation("coverage of fisher", SURE, is_variant=True),
    )

    assert summary_facts(findings)["proxies"] == [
        {
            "proxy": "fisher",
            "correlation": {"mean": 0.7, "low": 0.5, "high": 0.8, "n": 40},
            "within_one_size": {"mean": 0.1, "low": -0.2, "high": 0.4, "n": 37},
            "top": {
                "share": {"mean": 0.5, "low": 0.07, "high": 0.93, "n": 40},
                "n_top": 4,
                "chance": 0.1,
                "p_value": 0.05,
            },
            "verdict": "predicts the scores, not shown among layouts of one size: "
            "distrust it there",
        },
        {
            "proxy": "naswot",
            "correlation": None,
            "within_one_size": None,
            "top": None,
            "verdict": "too few trials to tell",
        },
    ]


def test_the_combined_proxy_is_worth_using_or_not(record: StudyRecord) -> None:
    """By the low end of its held-out interval."""
    (good, *_), (bad, *_) = (
        distrust_sentences(findings_of(record, ProxyCorrelation(COMBINED, found)))
        for found in (SURE, DOUBTFUL)
    )

    assert "it is worth using" in good
    assert "it is not worth using" in bad


def test_the_combined_proxy_is_doubted_where_it_does_not_order_layouts_of_one_size(
    record: StudyRecord,
) -> None:
    """It may be worth using and tell no place from another."""
    found = ProxyCorrelation(COMBINED, SURE, within=NOTHING)
    said, *_ = distrust_sentences(findings_of(record, found))

    assert said.endswith("connections it is +0.1000 (−0.2000 to +0.4000): distrust it there.")


def test_the_number_of_parameters_is_not_said_to_know_places(record: StudyRecord) -> None:
    """Neither by its verdict nor among the proxies of places."""
    found = ProxyCorrelation(N_PARAMETERS, NOTHING, within=SURE)

    assert found.verdict == "helps, but only among layouts with the same number of connections"
    assert not [s for s in distrust_sentences(findings_of(record, found)) if "Only among" in s]


def test_a_proxy_that_sees_only_size_is_named(record: StudyRecord) -> None:
    """It may predict over all trials, and nothing among layouts of one size."""
    seen = ProxyCorrelation("fisher", SURE, within=NOTHING)
    said = distrust_sentences(findings_of(record, seen, ProxyCorrelation("effective_rank", SURE)))

    assert said[0].startswith("Among layouts with the same number of connections fisher predicts")


def test_a_proxy_that_was_not_checked_within_a_size_is_named(record: StudyRecord) -> None:
    """Where sizes differ and too few share one; where all are of one size there is no doubt."""
    unchecked = ProxyCorrelation("fisher", SURE, sizes_differ=True)
    said = "Among layouts with the same number of connections fisher could not be checked: distrust"

    assert distrust_sentences(findings_of(record, unchecked))[0].startswith(said)
    assert "could not be checked" not in " ".join(
        distrust_sentences(findings_of(record, ProxyCorrelation("fisher", SURE)))
    )


def test_a_combined_proxy_that_was_not_checked_within_a_size_is_doubted(
    record: StudyRecord,
) -> None:
    """It may be worth using and tell no place from another."""
    said, *_ = distrust_sentences(
        findings_of(record, ProxyCorrelation(COMBINED, SURE, sizes_differ=True))
    )

    assert said.endswith(
        "It was not checked among layouts with the same number of connections: distrust it there."
    )


@pytest.mark.parametrize(
    ("names", "end"),
    [
        (("fisher",), "+0.7000 (+0.5000 to +0.8000)."),
        (("fisher", "naswot"), "It is the highest of 2, so it flatters, and so does its interval."),
    ],
)
def test_the_highest_of_several_is_said_to_flatter(
    record: StudyRecord, names: tuple[str, ...], end: str
) -> None:
    """Its interval is that of one proxy, and no allowance for the choice."""
    found = [ProxyCorrelation(name, SURE) for name in names]

    assert proxy_sentences(findings_of(record, *found))[0].endswith(end)


def test_a_study_without_a_map_is_told_from_one_that_awaits_it(record: StudyRecord) -> None:
    """With --no-map there will never be one."""
    without = replace(record, proxy_map=None)
    never = replace(without, definition=replace(record.definition, has_proxy_map=False))

    assert proxy_sentences(gather_findings(without)) == ["The study has no proxy map yet."]
    assert proxy_sentences(gather_findings(never)) == [
        "The study was made with --no-map, so it has no proxy map."
    ]


def test_a_proxy_that_sees_only_places_is_named(record: StudyRecord) -> None:
    """Its sums may follow size, and its scores places."""
    (said,) = distrust_sentences(
        findings_of(record, ProxyCorrelation("fisher", NOTHING, within=SURE))
    )[:1]

    assert said == (
        "Only among layouts with the same number of connections does fisher order them as the "
        "scores do; over all layouts that is not shown."
    )


def test_an_unstable_proxy_is_named(record: StudyRecord) -> None:
    """Where other batches rank the connections otherwise; heads are judged apart."""
    (said,) = [s for s in distrust_sentences(findings_of(record)) if "another" in s]

    assert said.startswith("With another batch of examples")
    assert said.endswith("nuclear norm.")


@pytest.mark.parametrize(("n_trials", "said"), [(4, "2"), (22, "15")])
def test_a_combined_proxy_that_lacks_places_is_told(
    record: StudyRecord, n_trials: int, said: str
) -> None:
    """How many there are of admitted complete trials; also where nothing is correlated yet."""
    findings = gather_findings(replace(record, trials=record.trials[:n_trials], finals=()))

    sentence = (
        f"The combined proxy is not fitted: trials at {said} of 20 different places that it needs."
    )
    assert sentence in proxy_sentences(findings)


def test_a_combined_proxy_is_not_missed_without_map_or_trials(record: StudyRecord) -> None:
    """Then something else is missing first; and with enough trials it is fitted."""
    references = replace(record, trials=record.trials[:2], finals=())
    for study in (record, replace(record, proxy_map=None), references):
        assert "not fitted" not in " ".join(proxy_sentences(gather_findings(study)))


@pytest.mark.parametrize(
    ("found", "doubts"),
    [
        ([ProxyCorrelation("fisher", SURE)], ["The sampler prefers some layouts"]),
        ([ProxyCorrelation("fisher", NOTHING)], ["No proxy's interval lies above zero"]),
        (
            [ProxyCorrelation("fisher", DOUBTFUL), ProxyCorrelation(N_PARAMETERS, SURE)],
            ["Over all layouts the number of parameters alone does as well (+0.7000), so the"],
        ),
        (
            [
                ProxyCorrelation("fisher", DOUBTFUL, within=DOUBTFUL),
                ProxyCorrelation(N_PARAMETERS, SURE),
            ],
            [
                (
                    "Over all layouts the number of parameters alone does as well (+0.7000); among "
                    "layouts with the same number of connections fisher still tells better places"
                )
            ],
        ),
        (
            [
                ProxyCorrelation("fisher", Estimate(0.5, -0.1, 0.8, 40)),
                ProxyCorrelation("written_gradient", DOUBTFUL),
            ],
            ["Its interval holds zero; these lie above it: written gradient."],
        ),
        (
            [ProxyCorrelation("fisher", Estimate(0.7, 0.2, 0.9, 12), within=NOTHING)],
            ["Among layouts with the same number of connections fisher", "With 12 layouts"],
        ),
    ],
)
def test_a_search_ends_with_when_to_distrust_its_proxies(
    record: StudyRecord, found: list[ProxyCorrelation], doubts: list[str]
) -> None:
    """What was found against them, or what holds against any; the report has the rest."""
    assert record.proxy_map is not None
    stable = replace(record, proxy_map=replace(record.proxy_map, spread=None))
    findings = replace(gather_findings(stable), correlations=tuple(found))
    highest, *rest = closing_proxy_sentences(findings)

    assert highest.startswith("The highest correlation is that of fisher")
    assert [said.startswith(doubt) for said, doubt in zip(rest, doubts, strict=True)] == [True] * (
        len(doubts)
    )
    assert {highest, *rest} <= set(proxy_sentences(findings))


def test_a_search_ends_with_how_unstable_its_proxies_are(record: StudyRecord) -> None:
    """A high correlation of what another batch of examples ranks otherwise is luck in part."""
    _, said = closing_proxy_sentences(findings_of(record, ProxyCorrelation("nuclear_norm", SURE)))

    assert said.startswith("With another batch of examples these rank")


def test_a_search_ends_with_a_word_on_its_proxies(record: StudyRecord) -> None:
    """So that nobody takes a heat map for a measurement."""
    lines = summary_lines(gather_findings(record))

    assert lines[-2].startswith("Proxies: The highest correlation is that of")
    assert lines[-1].startswith("Proxies: No proxy's interval lies above zero")
