import random

import pytest

from benchmarks.placements.protocol import random_sets, single_connections
from benchmarks.placements.table import Row
from benchmarks.placements.tabled_space import TabledSpace
from benchmarks.placements.world import World
from benchmarks.replay import replay
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


def space() -> TabledSpace:
    return World("made-up", ROWS, PROXIES, N_NODES).space()


def layout(notation: str) -> Layout:
    wired = "+".join(f"{each}:bottleneck(rank=8)" for each in notation.split("+"))
    return parse_layout(wired, MODULE_TYPES)


def test_whatever_numbers_are_drawn_a_tabled_layout_comes() -> None:
    """Of all sizes."""
    encoding, generator = Encoding(space()), random.Random(0)  # noqa: S311
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
    """Asked for again and again, ever other layouts come."""
    alone = World("made-up", ROWS[: len(ALONE)], {}, N_NODES)
    closed, found = alone.space(), []
    open_choices = closed.chosen(layout("3>3+3>4"))
    assert open_choices is not None
    for _ in range(3):
        found.append(closed.layout_of(open_choices))
        closed.tried.add(found[-1])

    assert set(found[:2]) == {layout("3>3"), layout("3>4")}
    assert len(set(found)) == 3


def test_a_tabled_layout_means_itself_though_it_was_tried() -> None:
    """So that a sampler learns that it has had it, as in an open space."""
    closed = space()
    closed.tried.add(SETS[0])
    chosen = closed.chosen(SETS[0])

    assert chosen is not None
    assert closed.layout_of(chosen) == SETS[0]


def test_candidates_are_tabled_and_new() -> None:
    """Random ones as well as neighbours."""
    closed, generator = space(), random.Random(0)  # noqa: S311
    start = random_candidates(closed, generator, 1)[0]
    closed.tried.update(SETS[:30])
    found = {each.layout for each in random_candidates(closed, generator, 100)}
    near = [each.layout for each in neighbours_of(closed, start, generator, 12)]

    assert found <= {*ALONE, *SETS[30:]}
    assert len(set(near)) == 12
    assert set(near) <= {*ALONE, *SETS[30:]} - {start.layout}


def test_another_search_begins_with_nothing_tried() -> None:
    """Though it is of the same world."""
    world = World("made-up", ROWS, PROXIES, N_NODES)
    world.space().tried.update(SETS)

    assert not world.space().tried


@pytest.mark.parametrize("sampler", ["random", "gradient-guided"])
def test_every_trial_is_another_tabled_layout(sampler: str) -> None:
    """Until all have been tried."""
    few = World("made-up", [row_of(each) for each in SETS], PROXIES, N_NODES)

    assert len(replay(few, sampler, 0, 100).worths) == len(SETS)
