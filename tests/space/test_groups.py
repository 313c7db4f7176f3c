import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement_search.errors import SpaceError
from placement_search.space.groups import Group, connection_groups, idle_rules
from placement_search.space.node_names import Stream
from tests.tiny_spaces import space_file

SEVEN = Stream(7)
"""Three blocks of two sub-layers."""


def groups(**changes: object) -> list[Group]:
    return list(connection_groups(space_file(**changes), SEVEN)[0])


def test_without_ties_every_connection_is_a_group() -> None:
    """So choices are connections, as in files that know no groups."""
    assert groups(kinds=["sequential"]) == [((node, node),) for node in range(7)]


def test_a_symmetric_connection_comes_with_its_reverse() -> None:
    """A sequential one is its own reverse."""
    found = groups(symmetric=True, sources=["0-1"], targets=["0-1"])

    assert found == [((0, 0),), ((0, 1), (1, 0)), ((1, 1),)]


def test_a_connection_whose_reverse_is_not_admitted_is_left_out() -> None:
    """Half of a pair would not be symmetric."""
    assert groups(symmetric=True, kinds=["sequential", "parallel"]) == [
        ((node, node),) for node in range(7)
    ]


def test_a_tied_connection_is_repeated_in_every_block() -> None:
    """Shifted by a block's two nodes, as often as both ends are nodes."""
    found = groups(tied="blocks", kinds=["parallel"])

    assert found == [((0, 1), (2, 3), (4, 5)), ((1, 2), (3, 4), (5, 6))]


def test_repeats_stay_among_the_candidates() -> None:
    """What sources leave out does not come back as a repeat."""
    assert groups(tied="blocks", kinds=["parallel"], sources=["0-3"]) == [
        ((0, 1), (2, 3)),
        ((1, 2), (3, 4)),
    ]


@given(
    symmetric=st.booleans(),
    tied=st.sampled_from([None, "blocks"]),
    kinds=st.lists(
        st.sampled_from(["sequential", "parallel", "long_range", "recurrent"]),
        min_size=1,
        unique=True,
    ),
)
@settings(deadline=None, max_examples=50)
def test_no_connection_is_in_two_groups(
    symmetric: bool, tied: str | None, kinds: list[str]
) -> None:
    """A layout is the sum of its groups in one way only."""
    found = [
        pair for group in groups(symmetric=symmetric, tied=tied, kinds=kinds) for pair in group
    ]

    assert len(found) == len(set(found))


def test_rules_about_nothing_are_known() -> None:
    """A slip, or a file that others include; a connection that is always there is something."""
    when = [
        {"has": {"connections": "recurrent", "module": {"rank": 4}}, "at_most": 1},
        {"has": "parallel", "without": "5>5"},
    ]
    file = space_file(kinds=["parallel"], never=["3>1", "1>2"], always=["4>4"], when=when)

    assert idle_rules(file, SEVEN) == [
        "never.0 (3>1)", "when.0.has (recurrent)", "when.1.without (5>5)",
    ]  # fmt: skip
    assert not idle_rules(space_file(kinds=["parallel"], always=["4>4"], when=[
        {"has": "4>4", "at_most": 1}
    ]), SEVEN)  # fmt: skip


def test_never_takes_candidates_out() -> None:
    """By single connections and by patterns."""
    assert groups(kinds=["sequential"], never=["3>3", "*>0-1", "mlp>*"]) == [((5, 5),)]


def test_always_brings_candidates_in_and_forces_them() -> None:
    """Whatever kinds, sources and targets say."""
    file = space_file(kinds=["sequential"], sources=[2], always=["0>5"])

    found, forced = connection_groups(file, SEVEN)

    assert found == (((0, 5),), ((2, 2),))
    assert forced == {0}


def test_always_forces_a_whole_group() -> None:
    """The reverse, and the repeats in the other blocks."""
    file = space_file(kinds=["sequential"], symmetric=True, tied="blocks", always=["0>1"])
    found, forced = connection_groups(file, SEVEN)
    (number,) = forced

    assert found[number] == ((0, 1), (1, 0), (2, 3), (3, 2), (4, 5), (5, 4))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"always": ["3>4"], "never": ["*>4"]}, "always and never both name 3>4"),
        (
            {"always": ["3>4"], "never": ["4>3"], "symmetric": True},
            "always, with what comes with them, and never both name 4>3",
        ),
        ({"always": ["3>7"]}, "always: the backbone has nodes 0 to 6, got '7'"),
    ],
)
def test_what_is_always_there_can_be_there(changes: dict[str, object], said: str) -> None:
    """A contradiction with never is told with the connections that both name."""
    with pytest.raises(SpaceError) as raised:
        groups(**changes)

    assert said in str(raised.value)


def test_always_takes_places_and_ranges() -> None:
    """All connections that they mean, as in ``never``, whatever the kinds."""
    file = space_file(kinds=["sequential"], always=["block 0>block 1", "mlp of block 2>embeddings"])
    found, always = connection_groups(file, SEVEN)

    assert [found[number] for number in sorted(always)] == [
        ((1, 3),), ((1, 4),), ((2, 3),), ((2, 4),), ((6, 0),),
    ]  # fmt: skip
