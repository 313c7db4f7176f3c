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


def test_a_task_with_some_connections_trained_long_has_no_say() -> None:
    """The best of a part would pass for the best of all."""
    short = [*scored_pairs("a"), *scored_pairs("b")]
    found = trained_long([*short, *long_rows("a"), *long_rows("b")[1:]])

    assert list(found) == ["a"]
    assert "Not trained so: `b`." in page([*short, *long_rows("a")], Proxies({}), "made so")


def test_short_trainings_that_rank_as_long_ones_do_are_worth_their_choice() -> None:
    """The chosen place is then above all others; half of the places are below the median."""
    line = changes_table([*seen_rows("a"), *long_rows("a")]).splitlines()[-1]

    assert line == "| `a` | +1.00 (+1.00 to +1.00) | +1.00 | +3.030, above 100% |"


def test_short_trainings_that_mislead_choose_the_worst_place() -> None:
    """Where long training turns the order around."""
    line = changes_table([*seen_rows("a"), *long_rows("a", -1)]).splitlines()[-1]

    assert line.startswith("| `a` | -1.00 (-1.00 to -1.00) | -1.00 | -3.0")
    assert line.endswith(", above 0% |")


def test_a_page_without_long_trainings_says_so() -> None:
    """In place of empty tables."""
    assert "The single connections of no task are all trained so long." in page(
        scored_pairs("a"), Proxies({}), "made so"
    )
