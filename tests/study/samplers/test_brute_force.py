import math

import pytest

from placement_search.errors import StudyError
from placement_search.study.samplers.brute_force import BruteForce, all_layouts
from tests.study.samplers.asking import ENCODING, setting_of
from tests.tiny_spaces import N_RANK_4, bound, space_file

NARROW = {"kinds": ["sequential"], "sources": ["0-3"], "connections": {"at_most": 2}}


def test_every_layout_comes_once() -> None:
    """Four pairs, one or two of them, with either module: 2·4 + 2·6."""
    found = list(all_layouts(bound(space_file(**NARROW))))

    assert len(set(found)) == len(found) == 2 * (math.comb(4, 1) + math.comb(4, 2))


def test_modules_mix_where_connections_choose_their_own() -> None:
    """2·4 + 2²·6."""
    found = list(all_layouts(bound(space_file(**NARROW, module_per="connection"))))

    assert len(set(found)) == len(found) == 2 * 4 + 4 * 6


def test_the_budget_leaves_layouts_out() -> None:
    """One connection of rank 4 alone."""
    assert len(list(all_layouts(bound(space_file(**NARROW), max_parameters=N_RANK_4)))) == 4


def test_conditions_and_ties_are_kept() -> None:
    """Every layout is the space's own, and all that it counts come."""
    space = bound(
        space_file(
            **{**NARROW, "connections": {"at_most": 3}},
            always=["2>2"],
            module_per="connection",
            when=[{"has": "3>3", "in_all": 2}],
        )
    )
    found = list(all_layouts(space))

    assert len(set(found)) == len(found) == space.n_layouts
    assert all(space.contains(layout) for layout in found)


def test_a_large_space_of_few_layouts_is_gone_through() -> None:
    """Six of twenty-five connections in any case, and one more at most: not 25 over 7 sets."""
    always = [f"{node}>{node}" for node in range(6)]
    space = bound(space_file(kinds=["sequential"], connections={"at_most": 7}, always=always))

    assert len(list(all_layouts(space))) == 2 * (1 + 19)


def test_a_space_of_few_large_layouts_is_gone_through() -> None:
    """Which two of twenty-five to leave out: not through all smaller sets, which are millions."""
    file = space_file(kinds=["sequential"], connections={"at_least": 23, "at_most": 23})

    assert len(list(all_layouts(bound(file)))) == 2 * 300


def test_a_large_space_is_refused_with_its_size() -> None:
    """Nobody waits for millions of trainings."""
    with pytest.raises(StudyError, match=r"'tiny' has about 10\^7\.\d"):
        BruteForce(setting_of(ENCODING))


def test_modules_of_what_is_always_there_are_not_all_gone_through() -> None:
    """A connection in every layer, one of them dearer: 25 layouts of 2²⁴ combinations."""
    space = bound(
        space_file(
            kinds=["parallel"],
            always=[f"{node}>{node + 1}" for node in range(24)],
            connections={"exactly": 24},
            module_per="connection",
            when=[{"has": {"module": {"rank": 8}}, "at_most": 1}],
        )
    )

    assert len(set(all_layouts(space))) == 25
