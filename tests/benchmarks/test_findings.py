from dataclasses import replace

import pytest

from benchmarks.placements.findings import Proxies, agreement_table, page, proxies_table
from benchmarks.placements.protocol import random_sets
from benchmarks.placements.set_findings import MIN_SETS, set_scores, sets_table
from benchmarks.placements.single_scores import (
    head_scores,
    least_difference,
    seeds_of,
    seeds_table,
    single_scores,
)
from benchmarks.placements.table import Row
from tests.benchmarks.made_up import N_NODES, scored, scored_pairs


def test_seeds_of_a_connection_are_averaged() -> None:
    """So that a lucky one counts no more than another."""
    both = [*scored_pairs("a"), scored(0, 0, 1.0, replicate=1)]

    assert single_scores(both)["a"][0, 0] == 0.5


def test_seeds_of_the_head_alone_are_averaged() -> None:
    """As those of all that it is compared with."""
    heads = [
        replace(scored(0, 0, test), layout="none", replicate=n) for n, test in enumerate((0.2, 0.4))
    ]

    assert head_scores(heads)["a"] == pytest.approx(0.3)


def test_seeds_that_rank_places_alike_agree() -> None:
    """On the test split, by the connections that both have; nothing is said of one seed."""
    again = [replace(each, replicate=1, test=2 * each.test) for each in scored_pairs("a")[1:]]

    assert seeds_table([*scored_pairs("a"), *again]).splitlines()[-1].endswith("| 2 | - | +1.00 |")
    few = [*scored_pairs("a"), *again[:40]]
    assert seeds_table(few).splitlines()[-1].endswith("| 1 | - | - |")
    assert seeds_table(scored_pairs("a")).splitlines()[-1].endswith("| 1 | - | - |")


def test_a_proxy_is_held_against_the_measured_scores() -> None:
    """One that knows the target's number ranks as the scores do."""
    grid = [[float(target) for target in range(N_NODES)] for _ in range(N_NODES)]

    *_, line, chance = proxies_table(
        single_scores(scored_pairs("a")), {"a": {"depth": grid}}
    ).splitlines()

    assert line.startswith("| depth | +0.9")
    assert line.endswith(", 71% of its tenth |")
    assert chance == "| chance | 10% of any tenth |"


def test_tasks_that_rank_places_the_other_way_round_disagree() -> None:
    """Over the connections that both have."""
    line = agreement_table(
        single_scores([*scored_pairs("a"), *scored_pairs("b", -1)])
    ).splitlines()[-2]

    assert line.startswith("| `a` | 1 | -1.00")


def test_the_page_says_how_many_connections_it_rests_on() -> None:
    """A table that is still being built is told as such."""
    assert f"| `a` | {N_NODES**2} | - |" in page(scored_pairs("a"), Proxies({}), "made so")


def set_rows(n_sets: int) -> list[Row]:
    """Sets that score the better the later their targets are, all targets together."""
    return [
        replace(
            scored(0, 0, sum(c.target for c in layout.connections)),
            layout=layout.notation,
            layout_id=layout.id,
        )
        for layout in random_sets(N_NODES)[:n_sets]
    ]


def test_sums_of_proxies_are_held_against_the_scores_of_sets() -> None:
    """Beside what their number of connections says, which one that knows more outdoes."""
    grid = [[float(target) for target in range(N_NODES)] for _ in range(N_NODES)]
    _, _, size, total, covered = sets_table(
        set_scores(set_rows(60)), {"a": {"depth": grid}}, {}
    ).splitlines()

    assert size.startswith("| number of connections | +0.")
    assert total == "| depth, sum | +1.00 (+1.00 to +1.00); within a size +1.00 |"
    assert covered.startswith("| depth, coverage | +0.")


def test_few_sets_are_not_told_of() -> None:
    """The page says so in place of a table of chance."""
    assert set_scores(set_rows(MIN_SETS - 1)) == {}
    assert f"Fewer than {MIN_SETS} are tabled." in page(scored_pairs("a"), Proxies({}), "made so")


def test_the_seeds_are_those_that_connections_have() -> None:
    """One more seed of one connection makes it a range, not two seeds of all."""
    assert seeds_of(scored_pairs("a")) == "1"
    more = seeds_of([*scored_pairs("a"), scored(0, 0, 1.0, replicate=1)])

    assert more == "1, of 1 of 49 connections up to 2"


def test_what_may_be_chance_follows_from_how_much_seeds_differ() -> None:
    """Of each task; nothing is said of one seed."""
    twice = [
        scored(s, t, t + by, "b", replicate)
        for s in range(N_NODES)
        for t in range(N_NODES)
        for replicate, by in enumerate((-0.01, 0.01))
    ]
    deviation = (2 * 0.01**2) ** 0.5

    assert least_difference([*scored_pairs("a"), *twice]) == {
        "b": pytest.approx(1.96 * 2**0.5 * deviation / 2**0.5)
    }
    assert "below 0.028 on `b`" in page([*scored_pairs("a"), *twice], Proxies({}), "made so")
    assert "may be chance" not in page(scored_pairs("a"), Proxies({}), "made so")


@pytest.mark.slow
def test_norms_and_ranks_are_held_against_each_other() -> None:
    """The best of each, where a task's map has both."""
    depth = [[float(target) for target in range(N_NODES)] for _ in range(N_NODES)]
    blind = [[float(source) for _ in range(N_NODES)] for source in range(N_NODES)]
    both = {"stable_rank": blind, "frobenius_norm": depth, "numerical_rank": blind}
    line = proxies_table(single_scores(scored_pairs("a")), {"a": both}).splitlines()[-2]

    assert line.startswith("| best norm less best rank | +0.8")
    assert "best norm less" not in proxies_table(
        single_scores(scored_pairs("a")), {"a": {"fisher": depth}}
    )
