"""What switches keep is proposed first, then its neighbours in size."""

from dataclasses import replace

import pytest

from placement_search.space.encoding import Encoding
from placement_search.study.samplers.switch import kept_layouts
from tests.study.samplers.asking import ENCODING, layouts_of, searched, setting_of
from tests.tiny_spaces import N_RANK_4, bound, space_file

KEEP = {(3, 9): 0.9, (20, 4): 0.7, (1, 1): 0.4, (5, 6): 0.2}


def pairs_of(encoding: Encoding, keep: dict[tuple[int, int], float]) -> list[set[tuple[int, int]]]:
    """The connections of each layout, in order, each set once."""
    found: list[set[tuple[int, int]]] = []
    for layout in kept_layouts(encoding.space, keep):
        pairs = {(c.source, c.target) for c in layout.connections}
        if pairs not in found:
            found.append(pairs)
    return found


def test_what_is_kept_comes_first_then_its_neighbours_in_size() -> None:
    """Nested sets of the most probable connections."""
    assert pairs_of(ENCODING, KEEP) == [
        {(3, 9), (20, 4)},
        {(3, 9)},
        {(3, 9), (20, 4), (1, 1)},
    ]


def test_where_more_is_kept_than_a_layout_may_have_it_is_the_most_probable() -> None:
    """Three connections are the most of this space."""
    assert pairs_of(ENCODING, dict.fromkeys(KEEP, 0.8) | {(5, 6): 0.9})[0] == {
        (5, 6), (1, 1), (3, 9),
    }  # fmt: skip


def test_what_is_always_there_comes_before_what_is_kept() -> None:
    """However improbable."""
    encoding = Encoding(bound(space_file(always=["5>6"])))

    assert pairs_of(encoding, KEEP)[0] == {(5, 6), (3, 9), (20, 4)}


def test_the_dearest_module_comes_first_as_far_as_the_budget_goes() -> None:
    """Nothing over the budget is proposed: here two connections, and of rank 4."""
    encoding = Encoding(bound(max_parameters=2 * N_RANK_4))
    layouts = list(kept_layouts(encoding.space, KEEP))
    first = next(kept_layouts(ENCODING.space, KEEP))

    assert first.notation == "3>9:bottleneck(rank=8)+20>4:bottleneck(rank=8)"
    assert layouts[0].notation == "3>9:bottleneck(rank=4)+20>4:bottleneck(rank=4)"
    assert all(encoding.space.cost(layout) <= 2 * N_RANK_4 for layout in layouts)


def test_groups_are_kept_by_the_mean_of_their_connections() -> None:
    """Ties and symmetry: a connection and its reverse come together."""
    encoding = Encoding(bound(space_file(kinds=["long_range", "recurrent"], symmetric=True)))
    keep = {(3, 9): 0.9, (9, 3): 0.0, (4, 8): 0.6, (8, 4): 0.5}

    assert pairs_of(encoding, keep)[0] == {(4, 8), (8, 4)}


def test_one_module_for_all_has_the_most_probable_of_the_connections_that_it_fits() -> None:
    """What fits everywhere keeps four; of them one that goes around sub-layers fits two."""
    modules = [{"type": "bottleneck", "rank": 1}, {"type": "lora", "rank": 4}]
    space = bound(space_file(modules=modules, connections={"at_most": 5}))
    low = {(2, 4): 0.1, (3, 4): 0.2, (5, 6): 0.1}
    first, second, *_ = kept_layouts(
        space, {(1, 2): 0.9, (3, 3): 0.8, (2, 3): 0.7, (5, 5): 0.6} | low
    )

    assert first.notation == "+".join(
        f"{pair}:bottleneck(rank=1)" for pair in ("1>2", "2>3", "3>3", "5>5")
    )
    assert second.notation == "1>2:lora(rank=4)+2>3:lora(rank=4)"


def test_a_module_for_each_connection_keeps_them_all() -> None:
    """The dearest where it fits, another elsewhere."""
    modules = [{"type": "bottleneck", "rank": 1}, {"type": "lora", "rank": 4}]
    space = bound(space_file(modules=modules, module_per="connection"))
    first = next(kept_layouts(space, {(1, 2): 0.9, (3, 3): 0.8, (2, 4): 0.1}))

    assert first.notation == "1>2:lora(rank=4)+3>3:bottleneck(rank=1)"


def test_a_module_of_fewer_sizes_than_another_is_done_earlier() -> None:
    """LoRA fits what is always there and one place more, a bottleneck all four of them."""
    modules = [{"type": "bottleneck", "rank": 1}, {"type": "lora", "rank": 1}]
    nodes = {"sources": ["0-4"], "targets": ["0-4"], "connections": {"at_most": 4}}
    space = bound(space_file(modules=modules, always=["0>1"], **nodes))
    found = list(kept_layouts(space, {(0, 1): 0.1, (1, 2): 0.9, (2, 2): 0.8, (0, 4): 0.7}))

    assert [len(layout.connections) for layout in found] == [4, 2, 3, 1, 2, 1]


def test_the_sampler_proposes_them_in_order() -> None:
    """And after them what is drawn."""
    setting = replace(setting_of(ENCODING), keep=KEEP)
    found = layouts_of(searched(setting, "switch", 12))
    expected = list(dict.fromkeys(each.notation for each in kept_layouts(ENCODING.space, KEEP)))

    assert found[: len(expected)] == expected
    assert len(set(found)) == 12


def test_without_switches_there_is_nothing_to_propose() -> None:
    """Proposing at random in their name would be a false answer."""
    with pytest.raises(ValueError, match="switches have to be trained"):
        searched(replace(setting_of(ENCODING), keep={}), "switch", 1)
