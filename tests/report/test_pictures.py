import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from placement_search.backbones.nodes import nodes_of
from placement_search.layout import Layout, kind_of
from placement_search.report.curves import (
    baseline_marks,
    draw_gains,
    draw_history,
    draw_sizes,
    incumbents,
    spread_apart,
)
from placement_search.report.findings import Findings, gather_findings
from placement_search.report.heat_maps import (
    border,
    draw_measured_map,
    draw_proxy_maps,
    measured_grid,
    rank_shares,
    stability,
)
from placement_search.report.layout_picture import arc_height, draw_layout
from placement_search.report.pictures import draw_svg
from placement_search.study.map_record import ProxySpread
from placement_search.study.records import StudyRecord


def with_blocks(record: StudyRecord, n_blocks: int) -> Findings:
    """Findings of a study with one connection on a backbone of another depth."""
    n_nodes = 2 * n_blocks + 1
    backbone = replace(record.definition.backbone, n_blocks=n_blocks)
    trial = replace(record.trials[5], number=0, layout="3>6:bottleneck(rank=4)")
    scores = {"fisher": [[float(s + t) for t in range(n_nodes)] for s in range(n_nodes)]}
    assert record.proxy_map is not None
    return gather_findings(
        replace(
            record,
            definition=replace(record.definition, backbone=backbone),
            trials=(trial,),
            finals=(),
            proxy_map=replace(record.proxy_map, scores=scores),
        )
    )


def test_a_picture_stands_alone() -> None:
    """No date, no metadata, ids of its own, text escaped: pictures share a page safely."""

    def paint(figure: object) -> None:
        figure.text(0.5, 0.5, "<script> $x_1$ & more")  # type: ignore[attr-defined]

    svg = draw_svg("one", (2, 1), 'a "test"', paint)
    assert svg.startswith("<svg ")
    assert "<metadata" not in svg
    assert 'aria-label="a &quot;test&quot;"' in svg
    assert "&lt;script&gt; $x_1$ &amp; more" in svg
    assert all(found.startswith("one-") for found in re.findall(r'\bid="([^"]+)"', svg))
    assert svg == draw_svg("one", (2, 1), 'a "test"', paint)


@pytest.mark.slow
@pytest.mark.parametrize("n_blocks", [4, 24])
def test_heat_maps_fit_small_and_large_backbones(record: StudyRecord, n_blocks: int) -> None:
    """Backbones of 9 and of 49 nodes are drawn with a readable number of ticks."""
    findings = with_blocks(record, n_blocks)
    proxies = draw_proxy_maps(findings)
    assert proxies is not None
    for svg in (proxies, draw_measured_map(findings)):
        assert svg.count("<image") >= 2
        assert svg.count("<text") < 60


def test_a_study_without_a_map_has_no_proxy_picture(record: StudyRecord) -> None:
    """Nothing is drawn instead of an empty frame."""
    assert draw_proxy_maps(gather_findings(replace(record, proxy_map=None))) is None


def test_a_panel_says_how_stable_its_proxy_is(record: StudyRecord) -> None:
    """Where it is known; maps of older studies don't know."""
    known = record.proxy_map
    assert known is not None
    spread = ProxySpread(4, 3, {"effective_rank": 0.987, "nuclear_norm": None}, {})

    assert stability(known, "effective_rank") == ""
    assert stability(replace(known, spread=spread), "effective_rank") == ", batches 0.99"
    assert stability(replace(known, spread=spread), "nuclear_norm") == ""


def test_unmeasured_connections_are_blank(record: StudyRecord) -> None:
    """Only pairs that a trial connected have a value."""
    findings = gather_findings(record)
    grid = measured_grid(findings.measured, findings.n_nodes)
    assert grid[20, 0] == pytest.approx(0.66)
    assert np.isfinite(grid).sum() == len(findings.measured)


def test_colours_are_ranks() -> None:
    """Huge values don't hide the others, ties share a colour, what is not finite has none."""
    shares = rank_shares(np.array([[1.0, 2.0], [2.0, 1e9]]))
    assert shares.tolist() == [[0.0, 0.5], [0.5, 1.0]]
    broken = rank_shares(np.array([[np.nan, 2.0], [np.inf, 1.0]]))
    assert np.isnan(broken).tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize(("offset", "kind"), [(-1, "recurrent"), (0, "sequential")])
def test_borders_part_the_kinds(offset: int, kind: str) -> None:
    """Left of a staircase lies the last cell of one kind, right of it another kind."""
    across, up = border(5, offset)
    for row in range(1, 5):
        edge = across[2 * row]
        assert up[2 * row : 2 * row + 2] == [row - 0.5, row + 0.5]
        assert kind_of(row, int(edge - 0.5)) == kind
        assert kind_of(row, int(edge + 0.5)) != kind


def test_recurrent_arcs_lie_below() -> None:
    """Forward connections rise above the nodes, the higher the further; recurrent ones sink."""
    assert 0 < arc_height(3, 4) < arc_height(3, 9)
    assert arc_height(4, 4) > 0
    assert arc_height(9, 3) == -arc_height(3, 9)


@pytest.mark.slow
def test_layouts_of_any_size_are_drawn(record: StudyRecord) -> None:
    """Neither an empty layout nor a backbone of many nodes breaks the picture."""
    nodes = nodes_of(12)
    best = gather_findings(record).layout
    assert draw_layout(best, nodes).count("<path") > draw_layout(Layout(), nodes).count("<path")
    assert "<svg" in draw_layout(best, nodes_of(48))


def test_the_incumbent_line_counts_admitted_trials(record: StudyRecord) -> None:
    """The every-layer reference scored more than the first ones and is passed over."""
    assert incumbents(record.trials) == [(2, 0.5), (4, 0.52), (5, 0.66)]


def test_random_baselines_share_a_mark(record: StudyRecord) -> None:
    """Named baselines are marked one by one, random ones by their mean."""
    marks = baseline_marks(record.trials)
    assert [mark.label for mark in marks] == [
        "head only",
        "every layer, parallel",
        "last layers",
        "random layouts, mean of 2",
    ]
    assert marks[-1].score == pytest.approx(0.5)


@pytest.mark.parametrize("places", [[0.5, 0.5, 0.5], [0.99, 1.0, 0.98], [0.0, 0.01], [], [0.3]])
def test_labels_never_overlap(places: list[float]) -> None:
    """Labels keep their gap, their order and the picture's height."""
    moved = spread_apart(places, 0.1)
    ordered = sorted(moved)
    assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(ordered))
    assert all(0 <= place <= 1 for place in moved)


@pytest.mark.slow
def test_baselines_are_labelled_in_both_curves(record: StudyRecord) -> None:
    """A reader sees which mark is which without the table."""
    findings = gather_findings(record)
    for svg in (draw_history(findings), draw_sizes(findings)):
        assert "every layer, parallel" in svg
        assert "head only" in svg
    assert "pruned" in draw_history(findings)
    assert "recommended layout" in draw_sizes(findings)


@pytest.mark.slow
def test_a_single_trial_is_drawn(unfinished: StudyRecord) -> None:
    """A study just begun has curves of one point and no gains."""
    findings = gather_findings(replace(unfinished, trials=unfinished.trials[:1]))
    assert "<svg" in draw_history(findings)
    assert "<svg" in draw_sizes(findings)
    assert "<svg" in draw_measured_map(findings)
    assert draw_gains(findings) is None


def test_fused_blocks_have_one_mark_each() -> None:
    """The legend names the places that there are."""
    fused, whole = (draw_layout(Layout(), nodes_of(4, n)) for n in (1, 2))

    assert "after a block" in fused and "after attention" not in fused
    assert "after attention" in whole and "after a block" not in whole
