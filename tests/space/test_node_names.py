import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement_search.errors import SpaceError
from placement_search.space.node_names import Stream, expand_nodes, expand_pattern

STREAM = Stream(25)
FUSED = Stream(13, sublayers=1)


@given(st.sets(st.integers(0, 24), min_size=1))
@settings(deadline=None)
def test_nodes_may_be_listed_one_by_one_or_as_ranges(nodes: set[int]) -> None:
    """Both forms mean the same nodes, and repeats do not matter."""
    listed: list[int | str] = [*sorted(nodes), *(str(node) for node in nodes)]
    ranged: list[int | str] = [f"{node}-{node}" for node in nodes]

    assert expand_nodes(listed, "sources", STREAM) == nodes
    assert expand_nodes(ranged, "sources", STREAM) == nodes


def test_a_range_has_both_ends_and_all_means_every_node() -> None:
    """As the file's own documentation says."""
    assert expand_nodes(["3-6", 20], "sources", STREAM) == {3, 4, 5, 6, 20}
    assert expand_nodes("all", "sources", STREAM) == set(range(25))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("9-3", "a range runs upwards, got '9-3'"),
        (25, "the backbone has nodes 0 to 24, got 25"),
        ("20-30", "the backbone has nodes 0 to 24, got '20-30'"),
        (-1, "'mlp of blocks 3-5'; got -1"),
        ("3 to 9", "a range '3-9', a place"),
    ],
)
def test_an_impossible_node_is_named_with_its_key(entry: int | str, said: str) -> None:
    """Beyond the last node, backwards, or no node at all."""
    with pytest.raises(SpaceError) as raised:
        expand_nodes([0, entry], "targets", STREAM)

    assert str(raised.value).startswith("targets:")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("entry", "nodes"),
    [
        ("embeddings", {0}),
        ("block 3", {7, 8}),
        ("blocks 3-5", {7, 8, 9, 10, 11, 12}),
        ("attention of block 3", {7}),
        ("mlp of blocks 0-1", {2, 4}),
        ("attention", set(range(1, 25, 2))),
        ("MLP", set(range(2, 25, 2))),
    ],
)
def test_a_place_means_the_nodes_after_its_sub_layers(entry: str, nodes: set[int]) -> None:
    """With two sub-layers, block l makes the nodes 2l+1 and 2l+2; block 0 reads the embeddings."""
    assert expand_nodes([entry], "sources", STREAM) == nodes


def test_a_fused_block_makes_one_node() -> None:
    """Of twelve such blocks, block 3 makes node 4."""
    assert expand_nodes(["block 3", "blocks 10-11"], "sources", FUSED) == {4, 11, 12}


@pytest.mark.parametrize("entry", ["attention", "mlp of block 3"])
def test_fused_blocks_have_no_sub_layers_of_their_own(entry: str) -> None:
    """The error says so, and what can be named instead."""
    with pytest.raises(SpaceError, match=r"targets: .*fused.*'block 3'") as raised:
        expand_nodes([entry], "targets", FUSED)

    assert repr(entry) in str(raised.value)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("block 12", "the backbone has blocks 0 to 11, got 'block 12'"),
        ("blocks 5-3", "a range runs upwards, got 'blocks 5-3'"),
        ("blocks 3 and 5", "blocks are written 3, or '3-9' with both ends; got 'blocks 3 and 5'"),
        ("attention of layer 3", "'attention of layer 3'"),
        ("atention", "'attention', 'mlp' or 'mlp of blocks 3-5'; got 'atention'"),
    ],
)
def test_an_impossible_place_is_named_with_its_key(entry: str, said: str) -> None:
    """Beyond the last block, backwards, or no place at all."""
    with pytest.raises(SpaceError) as raised:
        expand_nodes([entry], "sources", STREAM)

    assert str(raised.value).startswith("sources:")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("pattern", "n_pairs"),
    [("3>4", 1), ("*>0", 25), ("0-2 > *", 75), ("mlp>block 0", 24), ("recurrent", 300)],
)
def test_a_pattern_means_all_pairs_of_its_ends(pattern: str, n_pairs: int) -> None:
    """An end is whatever sources and targets may name, or a star; a kind means all of its own."""
    assert len(expand_pattern(pattern, "never", STREAM)) == n_pairs


def test_a_pattern_beyond_the_last_node_is_named() -> None:
    """As a source or a target would be."""
    with pytest.raises(SpaceError, match="never: the backbone has nodes 0 to 24, got '25'"):
        expand_pattern("*>25", "never", STREAM)
