"""The throughput benchmark measures the same layouts every time, and keeps what it measured."""

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.throughput import main
from benchmarks.throughput_cases import (
    LONG_RANGE,
    MADE_UP,
    PER_LAYER,
    RECURRENT,
    made_up_bench,
    mixed_layouts,
)
from benchmarks.throughput_summary import ratio_of_sums
from placement_search.layout import Kind

KINDS = {
    PER_LAYER: {Kind.SEQUENTIAL, Kind.PARALLEL},
    LONG_RANGE: {Kind.LONG_RANGE},
    RECURRENT: set(Kind),
}


@pytest.mark.slow
def test_a_seed_fixes_the_layouts() -> None:
    """And fewer layouts are the first of many, so that a short run is a part of a long one."""
    layouts = mixed_layouts(25, 64, 24, seed=0)

    assert mixed_layouts(25, 64, 24, seed=0) == layouts
    assert mixed_layouts(25, 64, 6, seed=0) == layouts[:6]
    assert mixed_layouts(25, 64, 24, seed=1) != layouts


@pytest.mark.slow
def test_layouts_are_a_mix_of_all_kinds() -> None:
    """Ours is better at some than at others; the mix says what a search sees."""
    cases = mixed_layouts(25, 64, 24, seed=0)

    assert Counter(case.kind for case in cases) == {PER_LAYER: 6, LONG_RANGE: 9, RECURRENT: 9}
    assert len({case.layout.id for case in cases}) == 24
    for case in cases:
        assert {c.kind for c in case.layout.connections} <= KINDS[case.kind]
        assert case.layout.is_recurrent == (case.kind == RECURRENT)
        assert len(case.layout.connections) in {*range(1, 7), 24}


def test_the_ratio_of_equal_shares_has_no_spread() -> None:
    """Twice as long on every layout is twice as long on any draw of them."""
    assert ratio_of_sums([2.0, 6.0, 1.0], [1.0, 3.0, 0.5]) == pytest.approx((2, 2, 2))


@pytest.mark.slow
def test_rows_are_measured_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that was cut short goes on where it stopped, and ends with the same table."""
    rows = tmp_path / "rows.json"
    asked = "--train-size 32 --validation-size 16 --epochs 1 --check 1 --peer both --device cpu"
    command = [*asked.split(), "--rows", str(rows)]
    main([*command, "--layouts", "2"])
    first = rows.read_text(encoding="utf-8")
    main([*command, "--layouts", "3"])
    second = rows.read_text(encoding="utf-8")
    sides = [json.loads(line)["sides"] for line in second.splitlines()]

    assert second.startswith(first)
    assert len(sides) == 3
    assert all(each.keys() == {"ours", "hooks", "lora"} for each in sides)
    assert capsys.readouterr().out.count("largest difference of losses") == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", MADE_UP)
def test_backbones_of_real_size_are_made(name: str, tmp_path: Path) -> None:
    """12 blocks of width 768 each."""
    bench = made_up_bench(name, tmp_path, "cpu", (10, 10), memory=0.0)

    assert (bench.backbone.n_nodes, bench.backbone.width) == (25, 768)
    assert bench.backbone.folder == tmp_path
    assert bench.head.weight.shape == (10, 768)
