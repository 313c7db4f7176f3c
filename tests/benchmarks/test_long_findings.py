from collections.abc import Sequence
from dataclasses import replace

from benchmarks.placements.findings import Proxies, page
from benchmarks.placements.long_findings import changes_table, trained_long
from benchmarks.placements.protocol import LONG
from benchmarks.placements.table import Row
from tests.benchmarks.made_up import scored_pairs


def long_rows(task: str, sign: int = 1) -> list[Row]:
    """Every pair of nodes trained long, the better the later its target, or the earlier."""
    return [replace(each, epochs=LONG.epochs) for each in scored_pairs(task, sign)]


def seen_rows(task: str) -> list[Row]:
    """Short trainings that the validation split scores as the test split does."""
    return [replace(each, validation=each.test) for each in scored_pairs(task)]


def table_of(rows: Sequence[Row]) -> str:
    """The last line."""
    return changes_table(rows, trained_long(rows)).splitlines()[-1]


def test_a_task_with_some_connections_trained_long_has_no_say() -> None:
    """The best of a part would pass for the best of all."""
    short = [*scored_pairs("a"), *scored_pairs("b")]
    all_rows = [*short, *long_rows("a"), *long_rows("b")[1:]]

    assert list(trained_long(all_rows)) == ["a"]
    assert trained_long(long_rows("a")) == {}
    assert "Not trained so: `b`." in page(all_rows, Proxies({}), "made so")


def test_short_trainings_that_rank_as_long_ones_do_are_worth_their_choice() -> None:
    """The chosen place is then above all others; half of the places are below the median."""
    line = table_of([*seen_rows("a"), *long_rows("a")])

    assert line == "| `a` | +1.00 (+1.00 to +1.00) | +1.00 | +3.030, above 100% |"


def test_short_trainings_that_mislead_choose_the_worst_place() -> None:
    """Where long training turns the order around."""
    line = table_of([*seen_rows("a"), *long_rows("a", -1)])

    assert line.startswith("| `a` | -1.00 (-1.00 to -1.00) | -1.00 | -3.0")
    assert line.endswith(", above 0% |")


def test_a_choice_among_ties_is_their_mean() -> None:
    """What nothing tells apart is worth what a place is worth on average."""
    line = table_of([*scored_pairs("a"), *long_rows("a")])

    assert line.endswith(", above 50% |")


def test_a_short_seed_that_lacks_places_does_not_choose() -> None:
    """Its best would pass for the best of all."""
    few = [replace(each, replicate=1, validation=9.0) for each in scored_pairs("a")[:1]]

    assert table_of([*seen_rows("a"), *few, *long_rows("a")]).endswith("above 100% |")


def test_a_page_without_long_trainings_says_so() -> None:
    """In place of empty tables."""
    assert "The single connections of no task are all trained so long." in page(
        scored_pairs("a"), Proxies({}), "made so"
    )
