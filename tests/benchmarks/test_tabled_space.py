import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchmarks.placements.protocol import random_sets, single_connections
from benchmarks.placements.table import Row
from benchmarks.placements.tabled_space import TabledSpace
from benchmarks.placements.world import World
from benchmarks.replay import Length, replay
from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.space.encoding import Encoding
from placement_search.study.samplers.candidates import neighbours_of, random_candidates

N_NODES = 7
NODES = range(N_NODES)
ALONE = single_connections(N_NODES)
SETS = random_sets(N_NODES)[:60]


def row_of(layout: Layout) -> Row:
    score = sum(c.source - c.target for c in layout.connections) / 100
    return Row("made-up", layout.notation, layout.id, 0, 4, score, score, 8, 1.0, 2.0)


ROWS = [row_of(layout) for layout in [*ALONE, *SETS]]
PROXIES = {"fisher": [[1.0 + s + t for t in NODES] for s in NODES]}


def space(rows: Sequence[Row] = ROWS) -> tuple[TabledSpace, set[Layout]]:
    """A closed space, and what has been tried in it."""
    tried = set[Layout]()
    closed = World("made-up", rows, PROXIES, N_NODES).space(tried)
    assert isinstance(closed, TabledSpace)
    return closed, tried


def meant(closed: TabledSpace, notation: str) -> Layout:
    chosen = closed.chosen(layout(notation))
    assert chosen is not None
    return closed.layout_of(chosen)


def layout(notation: str) -> Layout:
    wired = "+".join(f"{each}:bottleneck(rank=8)" for each in notation.split("+"))
    return parse_layout(wired, MODULE_TYPES)


def test_whatever_numbers_are_drawn_a_tabled_layout_comes() -> None:
    """Of all sizes."""
    encoding, generator = Encoding(space()[0]), random.Random(0)  # noqa: S311
    drawn = [
        encoding.decode({
            gene.name: generator.random() if gene.n_values is None
            else generator.randrange(gene.n_values)
            for gene in encoding.genes
        })
        for _ in range(100)
    ]  # fmt: skip

    assert set(drawn) <= {*ALONE, *SETS}
    assert {len(each.connections) for each in drawn} == set(range(1, 7))


def test_what_is_not_tabled_means_the_nearest_that_is_new() -> None:
    """Of two connections next to each other, one of both."""
    closed, tried = space(ROWS[: len(ALONE)])
    tried.add(layout("3>3"))

    assert meant(closed, "3>3+3>4") == layout("3>4")
    assert closed.contains(layout("3>4"))
    assert not closed.contains(layout("3>3+3>4"))


def test_every_wish_means_a_layout_of_its_own_and_keeps_it() -> None:
    """Greedy choices that are alike do not become one."""
    closed, tried = space(ROWS[: len(ALONE)])
    wishes = ["3>3+3>4", "3>3+4>3", "3>4+4>3", "3>3+3>4+4>3"]
    found = [meant(closed, wish) for wish in wishes]
    tried.update(found)

    assert len(set(found)) == 4
    assert [meant(closed, wish) for wish in wishes] == found


def test_when_all_has_been_tried_a_tabled_layout_comes_still() -> None:
    """A sampler is told that it had it, as in an open space that has been seen whole."""
    closed, tried = space([row_of(each) for each in SETS])
    tried.update(SETS)

    assert meant(closed, "3>3") in SETS
    assert closed.random_layout(random.Random(0)) in SETS  # noqa: S311


def test_a_tabled_layout_means_itself_though_it_was_tried() -> None:
    """So that a sampler learns that it has had it."""
    closed, tried = space()
    tried.add(SETS[0])
    chosen = closed.chosen(SETS[0])

    assert chosen is not None
    assert closed.layout_of(chosen) == SETS[0]


def test_candidates_are_tabled_and_new() -> None:
    """Random ones as well as neighbours."""
    closed, tried = space()
    generator = random.Random(0)  # noqa: S311
    start = random_candidates(closed, generator, 1)[0]
    tried.update(SETS[:30])
    found = {each.layout for each in random_candidates(closed, generator, 100)}
    near = [each.layout for each in neighbours_of(closed, start, generator, 12)]

    assert found <= {*ALONE, *SETS[30:]}
    assert len(set(near)) == 12
    assert set(near) <= {*ALONE, *SETS[30:]} - {start.layout}


def test_a_space_that_is_tabled_whole_is_the_open_one() -> None:
    """Moves and draws are those of a real search."""
    whole = World("made-up", ROWS, PROXIES, N_NODES, at_most=1)
    lacking = World("made-up", ROWS[1:], PROXIES, N_NODES, at_most=1)

    assert not isinstance(whole.space(set()), TabledSpace)
    assert isinstance(lacking.space(set()), TabledSpace)


@pytest.mark.parametrize("sampler", ["random", "gradient-guided", "tpe"])
def test_every_trial_is_another_tabled_layout(sampler: str) -> None:
    """Until all have been tried: then their scores are those of the table."""
    rows = [replace(row_of(each), validation=n / 100) for n, each in enumerate(SETS)]
    few = World("made-up", rows, PROXIES, N_NODES)

    assert sorted(replay(few, sampler, 0, Length(100)).worths, reverse=True) == few.worths
