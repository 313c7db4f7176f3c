"""How well short trainings rank as long ones do, and which length pays."""

import itertools
import re
import statistics
from dataclasses import replace

import pytest

from benchmarks.lengths import (
    KINDS,
    MIN_LAYOUTS,
    by_length,
    expected_worth,
    lines_of,
    mean_regrets,
    regrets,
    verdict_of,
)
from benchmarks.placements.protocol import (
    LENGTHS,
    LONG,
    N_COMPARED,
    compared_layouts,
    random_sets,
    single_connections,
)
from benchmarks.placements.table import Row
from placement_search.layout import Layout
from tests.benchmarks.made_up import N_NODES, row_of

TASK = "made-up"


def trained(layout: Layout, epochs: int) -> Row:
    """A layout's training of some length, which knows all."""
    return replace(row_of(layout), epochs=epochs)


def test_lengths_are_compared_over_what_has_all_of_them() -> None:
    """A layout that lacks one length is left out of every correlation."""
    layouts = single_connections(N_NODES)[:N_COMPARED]
    rows = [trained(layout, epochs) for layout in layouts for epochs in LENGTHS]
    rows = [*rows[:-1], replace(rows[0], epochs=LONG.epochs, replicate=1)]

    assert {len(each) for each in by_length(rows).values()} == {N_COMPARED - 1}
    lines = lines_of(TASK, rows)
    told = [line for line in lines if " sets " not in line]
    assert len(told) == 2 * len(LENGTHS) < len(lines)
    assert all(f"{N_COMPARED - 1} layouts" in line and " 1.00 (" in line for line in told)
    assert all("no say" in line for line in lines)


def test_the_worth_of_the_best_scored_is_the_mean_over_all_draws() -> None:
    """Against every draw of three out of six, equal scores shared out by chance."""
    scores, worths = [1, 3, 2, 3, 0, 2], [0.5, 0.2, 0.9, 0.6, 0.1, 0.4]

    def worth(drawn: tuple[int, ...]) -> float:
        best = max(scores[each] for each in drawn)
        return statistics.fmean(worths[each] for each in drawn if scores[each] == best)

    draws = [worth(drawn) for drawn in itertools.combinations(range(6), 3)]
    assert expected_worth(scores, worths, 3) == pytest.approx(statistics.fmean(draws))
    assert expected_worth(scores, worths, 6) == pytest.approx(0.4)


def test_short_trainings_that_rank_truly_pay() -> None:
    """One epoch that knows all tries the most layouts; one that knows nothing loses to sixteen."""
    layouts = compared_layouts(N_NODES)
    true = [trained(layout, epochs) for layout in layouts for epochs in LENGTHS]
    blind = [replace(row, validation=0.5) if row.epochs == 1 else row for row in true]
    knowing, guessing = regrets(true), regrets(blind)

    assert knowing[1] == pytest.approx(0)
    assert list(knowing.values()) == sorted(knowing.values())
    assert guessing[1] > guessing[16]
    mean = mean_regrets([knowing, guessing, {}])
    assert mean[1] == pytest.approx((knowing[1] + guessing[1]) / 2)


def test_epochs_that_stay_unspent_are_told() -> None:
    """Where all layouts are tried and more could be paid for."""
    true = [trained(each, n) for each in single_connections(N_NODES)[:30] for n in LENGTHS]
    told = [line for line in lines_of("a", true) if "unspent" in line]

    assert any("with 34 epochs unspent" in line and "singles    1 epochs" in line for line in told)
    assert any("with 4 epochs unspent" in line and "singles    2 epochs" in line for line in told)
    assert not any("  4 epochs" in line for line in told)


def test_each_kind_of_layouts_has_a_length_that_pays() -> None:
    """Of single connections, sets and both; and without each task, where there are several."""
    alone, sets = single_connections(N_NODES), random_sets(N_NODES)
    layouts = [*alone[:MIN_LAYOUTS], *sets[:MIN_LAYOUTS]]
    true = [trained(layout, epochs) for layout in layouts for epochs in LENGTHS]
    blind = [replace(row, validation=0.5) if row.epochs < 16 else row for row in true]

    for kind in KINDS:
        said = verdict_of(kind, {"true": true, "blind": blind})
        assert said.startswith(f"{kind}: mean regret of 64 epochs in all: 1 epochs ")
        starred = {"all": [1], "singles": [1, 2], "sets": [1, 2]}[kind]
        assert [int(n) for n in re.findall(r"(\d+) epochs [\d.]+\*", said)] == starred
        assert "; without true 16" in said
        assert ", blind 1" in said
