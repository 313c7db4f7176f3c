"""Which connections stay within a budget, and who works at the places of the others."""

import pytest

from placement_search.errors import OperationError
from placement_search.layout import Connection, Layout
from placement_search.modules import count_parameters, parse_layout
from placement_search.operations.sharing import most_important, with_sharing
from placement_search.places import Places

PLACES = Places(16)
# 2·16·2 + 2 + 16 + 2·16 parameters each.
PRICE = 114


def layout(*parts: str) -> Layout:
    return parse_layout("+".join(parts))


FIVE = layout(*(f"{n}>{n}:bottleneck(rank=2)" for n in (0, 1, 4, 5, 6)))


def importances(given: Layout, *values: float) -> dict[Connection, float]:
    return dict(zip(given.connections, values, strict=True))


def nodes(connections: tuple[Connection, ...]) -> list[int]:
    return [c.source for c in connections]


def test_the_most_important_that_fit_stay() -> None:
    """Two fit two prices, to the last parameter."""
    given = importances(FIVE, 0.1, 0.5, 0.2, 0.9, 0.3)

    assert nodes(most_important(FIVE, given, 2 * PRICE, PLACES)) == [1, 5]
    assert nodes(most_important(FIVE, given, 2 * PRICE - 1, PLACES)) == [5]


def test_one_that_does_not_fit_is_passed_over() -> None:
    """Cheaper ones of less importance fill the budget."""
    mixed = layout("1>1:bottleneck(rank=8)", "2>2:bottleneck(rank=2)", "3>3:bottleneck(rank=2)")
    given = importances(mixed, 0.9, 0.2, 0.1)

    assert nodes(most_important(mixed, given, 2 * PRICE, PLACES)) == [2, 3]


def test_a_tied_module_is_paid_once() -> None:
    """So its other places fit for nothing."""
    tied = layout(*(f"{n}>{n}:bottleneck(rank=2,tied=1)" for n in (1, 2, 3)))

    assert nodes(most_important(tied, importances(tied, 1, 2, 3), PRICE, PLACES)) == [1, 2, 3]


def test_a_budget_below_every_connection_is_an_error() -> None:
    """It says what the cheapest one costs."""
    with pytest.raises(OperationError, match=r"leaves 100 parameters.* 114;"):
        most_important(FIVE, importances(FIVE, 1, 2, 3, 4, 5), 100, PLACES)


def test_pruned_places_take_the_nearest_module_and_cost_nothing() -> None:
    """Places stay as they were; the parameters are those of what was kept."""
    given = importances(FIVE, 0.1, 0.5, 0.2, 0.9, 0.3)
    kept = most_important(FIVE, given, 2 * PRICE, PLACES)
    pruned = with_sharing(FIVE, kept, given)
    groups = {c.source: c.module.settings["tied"] for c in pruned.layout.connections}

    assert {c.source: d.source for c, d in pruned.donors.items()} == {0: 1, 4: 5, 6: 5}
    assert groups[0] == groups[1] != groups[5] == groups[4] == groups[6]
    assert count_parameters(pruned.layout, PLACES) == 2 * PRICE
    assert all(pruned.origins[c] in kept for c in pruned.layout.connections)


def test_modules_that_share_parameters_already_give_none_of_theirs() -> None:
    """Tied apart from the others, each would hold the projection of all again."""
    arcs = layout(*(f"{n}>{n}:arc(rank=3)" for n in (0, 1, 4, 5, 6)))
    given = importances(arcs, 0.1, 0.5, 0.2, 0.9, 0.3)
    limit = 3 * 16 + 2 * (3 + 16)
    pruned = with_sharing(arcs, most_important(arcs, given, limit, PLACES), given)

    assert pruned.layout == layout("1>1:arc(rank=3)", "5>5:arc(rank=3)")
    assert count_parameters(pruned.layout, PLACES) == limit


def test_of_two_as_near_the_more_important_one_is_shared() -> None:
    """Node 4 lies between 2 and 6."""
    three = layout(*(f"{n}>{n}:bottleneck(rank=2)" for n in (2, 4, 6)))
    for values, donor in (((0.9, 0.1, 0.5), 2), ((0.5, 0.1, 0.9), 6)):
        given = importances(three, *values)
        pruned = with_sharing(three, most_important(three, given, 2 * PRICE, PLACES), given)

        assert [d.source for d in pruned.donors.values()] == [donor]


def test_a_module_that_nobody_needs_stays_untied() -> None:
    """Only what is shared is marked."""
    three = layout(*(f"{n}>{n}:bottleneck(rank=2)" for n in (1, 2, 9)))
    given = importances(three, 0.9, 0.1, 0.8)
    pruned = with_sharing(three, most_important(three, given, 2 * PRICE, PLACES), given)

    assert pruned.layout.notation.endswith("9>9:bottleneck(rank=2)")


def test_groups_that_were_there_stay_groups() -> None:
    """A second pruning gives new groups new numbers, and lets others join old ones."""
    mixed = layout(
        "1>1:bottleneck(rank=2,tied=1)", "2>2:bottleneck(rank=2,tied=1)",
        "3>3:bottleneck(rank=2)", "8>8:bottleneck(rank=2)", "9>9:bottleneck(rank=2)",
    )  # fmt: skip
    given = importances(mixed, 0.9, 0.8, 0.1, 0.7, 0.2)
    pruned = with_sharing(mixed, most_important(mixed, given, 2 * PRICE, PLACES), given)

    assert [c.module.settings["tied"] for c in pruned.layout.connections] == [1, 1, 1, 2, 2]
