import itertools
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement_search.errors import SpaceError
from placement_search.layout import Connection, FirstPass, Layout, kind_of
from placement_search.modules import MODULE_TYPES, count_parameters, parse_layout
from placement_search.places import Places
from placement_search.space.budget import Budget
from placement_search.space.file import read_space
from placement_search.space.search_space import SearchSpace, bind_space
from tests.tiny_spaces import N_RANK_4, N_RANK_8, WIDTH, bound, space_file


@pytest.mark.parametrize(
    ("name", "n_candidates"),
    [("per_layer", 49), ("long_range", 276), ("recurrent", 300), ("extended", 625)],
)
def test_a_shipped_space_has_its_candidates(name: str, n_candidates: int) -> None:
    """25 + 24, 276, 300 and their sum 625 on 25 nodes, as in Nowak et al. (2024)."""
    space = bound(read_space(name))

    assert len(space.pairs) == n_candidates
    assert (space.at_least, space.at_most) == (1, 6)
    assert [module.notation for module in space.modules] == [
        "bottleneck(rank=4)",
        "bottleneck(rank=8)",
    ]


@pytest.mark.parametrize(
    ("name", "notations"),
    [
        ("tiny_attention", ["tiny_attention(width=1)"]),
        ("adamix", ["adamix(norm=false,rank=16)"]),
        ("arc", ["arc_inside(group=1,rank=50)", "arc_inside(rank=50)"]),
    ],
)
def test_a_space_of_a_published_module_has_its_published_settings(
    name: str, notations: list[str]
) -> None:
    """Whatever they leave to search is where."""
    assert [module.notation for module in bound(read_space(name)).modules] == notations


def test_tiny_attention_lies_at_one_or_two_places_of_every_layer() -> None:
    """The four within reach of one sub-layer, each in all layers, and pairs of them."""
    space = bound(read_space("tiny_attention"))

    assert space.n_layouts == 4 + 6
    assert space.contains(
        parse_layout("+".join(f"{node}>{node}:tiny_attention" for node in range(1, 25, 2)))
    )


def test_arc_has_one_projection_before_attention_and_one_before_mlps() -> None:
    """Attention lies behind even nodes."""
    space = bound(read_space("arc"))

    assert space.contains(parse_layout("0>1:arc_inside+1>2:arc_inside(group=1)+2>3:arc_inside"))
    assert not space.contains(parse_layout("0>1:arc_inside(group=1)"))
    assert not space.contains(parse_layout("1>2:arc_inside"))


@pytest.mark.parametrize(
    ("name", "n_candidates", "notations"),
    [
        ("unipelt", 49, [
            "bottleneck(activation=relu,gate=true,norm=false,rank=4)",
            "lora(alpha=8.0,gate=true,linears=query_value,rank=8)",
            "bottleneck(activation=relu,gate=true,norm=false,rank=48)",
        ]),
        ("sparse_adapter", 49, [
            "bottleneck(activation=relu,kept=0.2,mask=snip,norm=false,rank=8)",
            "bottleneck(activation=relu,norm=false,rank=8)",
            "bottleneck(activation=relu,kept=0.25,mask=snip,norm=false,rank=32)",
        ]),
        ("adaptable_adapters", 12, [
            "bottleneck(activation=rational,norm=false,rank=4)",
            "bottleneck(activation=rational,norm=false,rank=48)",
        ]),
    ],
)  # fmt: skip
def test_a_papers_space_has_its_modules(name: str, n_candidates: int, notations: list[str]) -> None:
    """Cheapest first, at the nodes that the file's words mean."""
    space = bound(read_space(name))

    assert len(space.pairs) == n_candidates
    assert [module.notation for module in space.modules] == notations


def test_candidates_are_the_pairs_of_the_kinds_sources_and_targets() -> None:
    """Sorted, and no pair twice, though the file may name a node twice."""
    file = space_file(kinds=["recurrent", "parallel"], sources=["3-5", 4], targets=[4, 0, "5-6"])

    assert bound(file).pairs == ((3, 0), (3, 4), (4, 0), (4, 5), (5, 0), (5, 4), (5, 6))


def test_modules_are_every_combination_of_settings_cheapest_first() -> None:
    """With their real parameters, and written the same way as in layouts."""
    file = space_file(modules=[{"type": "bottleneck", "rank": [8, 4], "norm": [True, False]}])
    space = bound(file)

    # 2·64·r + r + 64 for the maps, and 2·64 for a LayerNorm.
    assert dict(zip([m.notation for m in space.modules], space.costs, strict=True)) == {
        "bottleneck(norm=false,rank=4)": 580,
        "bottleneck(rank=4)": N_RANK_4,
        "bottleneck(norm=false,rank=8)": 1096,
        "bottleneck(rank=8)": N_RANK_8,
    }
    assert list(space.costs) == sorted(space.costs)


def test_the_same_module_said_twice_is_one_module() -> None:
    """``norm: true`` is the default, so both entries mean the same."""
    twice = [{"type": "bottleneck", "rank": 4}, {"type": "bottleneck", "rank": 4, "norm": True}]

    assert len(bound(space_file(modules=twice)).modules) == 1


def test_a_layouts_cost_is_what_its_modules_have() -> None:
    """The space and the modules count alike."""
    space = bound(space_file(module_per="connection"))
    layout = parse_layout("3>9:bottleneck(rank=8)+20>4:bottleneck(rank=4)")

    assert space.cost(layout) == count_parameters(layout, Places(WIDTH)) == N_RANK_4 + N_RANK_8


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sources": ["9-3"]}, ["sources", "'9-3'"]),
        ({"sources": ["9" * 5000]}, ["sources", "a node is written 3"]),
        ({"targets": [25]}, ["targets", "nodes 0 to 24", "25"]),
        ({"kinds": ["sequential"], "sources": [3], "targets": [4]}, ["'tiny' is empty", "admit 0"]),
        ({"sources": []}, ["'tiny' is empty", "admit 0"]),
        (
            {"kinds": ["parallel"], "connections": {"at_least": 30, "at_most": 40}},
            ["'tiny' is empty", "admit 24", "asks for 30"],
        ),
        ({"modules": [{"type": "botleneck"}]}, ["'botleneck'", "modules.0", "'tiny'", "mean"]),
        (
            {"modules": [{"type": "bottleneck"}, {"type": "bottleneck", "rnk": 4}]},
            ["'rnk'", "modules.1", "'tiny'", "did you mean 'rank'?"],
        ),
        (
            {"modules": [{"type": "bottleneck", "rank": [4, 0]}]},
            ["rank", "modules.0", "'tiny'", "at least 1, got 0"],
        ),
        ({"modules": [{"type": "bottleneck", "rank": []}]}, ["rank", "modules.0", "'tiny'"]),
        ({"modules": [{"type": "bottleneck", "rank": [[4]]}]}, ["rank", "modules.0", "[4]"]),
    ],
)
def test_what_does_not_fit_the_backbone_is_named(changes: dict[str, Any], said: list[str]) -> None:
    """Key, value, place and, where one is near, the right word."""
    with pytest.raises(SpaceError) as raised:
        bound(space_file(**changes))

    assert all(part in str(raised.value) for part in said), str(raised.value)


@pytest.mark.slow
def test_layouts_that_need_very_many_connections_are_refused() -> None:
    """Legal sets are found by adding one connection to another; that they may have many is fine."""

    def bound_at_49_nodes(**connections: int) -> SearchSpace:
        file = space_file(connections=connections)
        return bind_space(file, MODULE_TYPES, n_nodes=49, places=Places(WIDTH), budget=Budget())

    assert bound_at_49_nodes(at_most=2000).at_most == 2000
    with pytest.raises(SpaceError, match="2000 connections, or groups of them, are more"):
        bound_at_49_nodes(exactly=2000)


def test_all_that_does_not_fit_comes_at_once() -> None:
    """One error for sources, targets and modules, so that one edit mends them all."""
    file = space_file(
        sources=["9-3"], targets=[99], modules=[{"type": "bottleneck", "rank": 0, "scale": "x"}]
    )
    with pytest.raises(SpaceError) as raised:
        bound(file)

    assert all(part in str(raised.value) for part in ("9-3", "99", "got 0", "got 'x'"))


def test_a_budget_that_pays_for_nothing_says_what_the_least_costs() -> None:
    """The smallest layout's parameters and the budget, side by side."""
    file = space_file(connections={"at_least": 2, "at_most": 3})
    with pytest.raises(SpaceError) as raised:
        bound(file, max_parameters=1415)

    assert "1,416" in str(raised.value)
    assert "1,415" in str(raised.value)


def test_a_budget_lowers_the_most_connections_to_what_it_can_pay() -> None:
    """Nothing beyond it can then be proposed."""
    assert bound(max_parameters=2 * N_RANK_4).at_most == 2
    assert bound(max_parameters=10**6).at_most == 3


def test_a_module_that_some_affordable_layout_uses_stays_in_the_space() -> None:
    """Where each connection has its own module, a dear one may stand beside a cheap one."""
    file = space_file(module_per="connection", connections={"at_least": 2, "at_most": 2})
    space = bound(file, max_parameters=N_RANK_4 + N_RANK_8)

    assert space.contains(parse_layout("3>9:bottleneck(rank=8)+20>4:bottleneck(rank=4)"))


@pytest.mark.parametrize(
    ("notation", "is_contained"),
    [
        ("3>9:bottleneck(rank=8)+20>4:bottleneck(rank=8)", True),
        ("3>9:bottleneck(rank=8)+20>4:bottleneck(rank=4)", False),
        ("3>9:bottleneck(rank=16)", False),
        ("none", False),
        ("3>3:bottleneck(rank=4)", False),
        ("3>9:bottleneck(rank=4)|first_pass=adapted", True),
        ("9>3:bottleneck(rank=4)|first_pass=adapted", False),
        ("+".join(f"{n}>9:bottleneck(rank=4)" for n in range(4)), False),
        ("+".join(f"{n}>9:bottleneck(rank=8)" for n in range(3)), False),
        ("+".join(f"{n}>9:bottleneck(rank=4)" for n in range(3)), True),
    ],
)
def test_it_contains_what_file_and_budget_admit(notation: str, is_contained: bool) -> None:
    """Kind, count, module, its sharing, the first pass and the budget all have their say."""
    file = space_file(kinds=["long_range", "recurrent"])
    space = bound(file, max_parameters=2 * N_RANK_8)

    assert space.contains(parse_layout(notation)) == is_contained


@pytest.mark.parametrize(
    ("notation", "objection"),
    [
        ("none", "it has 0 connections, the space admits 1 to 3"),
        ("5>5:bottleneck(rank=4)", "the space has no connection 5>5"),
        ("3>9:bottleneck(rank=5)", "the space has no module bottleneck(rank=5)"),
        (
            "3>9:bottleneck(rank=4)+3>8:bottleneck(rank=8)",
            "its connections have different modules, in the space all have the same",
        ),
        (
            "+".join(f"{node}>9:bottleneck(rank=8)" for node in (3, 4, 5)),
            "over budget: 3,672 parameters, the most is 3,000",
        ),
    ],
)
def test_what_it_does_not_contain_has_a_reason(notation: str, objection: str) -> None:
    """One rule broken, one reason, with the value."""
    space = bound(space_file(kinds=["long_range"]), max_parameters=3000)

    assert space.objections(parse_layout(notation)) == [objection]


def test_the_condition_that_forbids_a_layout_is_named() -> None:
    """By its number in the file."""
    when = [{"has": "long_range", "at_most": 2}, {"has": "recurrent", "at_most": 1}]
    space = bound(space_file(kinds=["long_range", "recurrent"], when=when))
    layout = parse_layout("9>3:bottleneck(rank=4)+8>3:bottleneck(rank=4)")

    assert space.objections(layout) == ["the space's condition when.1 forbids it"]


def test_a_part_of_a_group_is_not_said_to_be_too_many_connections() -> None:
    """A group counts as one, and how many are meant is not known of a part."""
    space = bound(space_file(kinds=["parallel"], tied="blocks"))
    layout = parse_layout("+".join(f"{2 * n}>{2 * n + 1}:bottleneck(rank=4)" for n in range(11)))

    assert space.objections(layout) == ["its connections are not the space's groups"]


def test_what_is_possible_does_not_hang_on_what_is_always_there() -> None:
    """One recurrent connection is there and no other is allowed, wherever it is."""
    when = [{"has": "recurrent", "at_most": 1}]
    spaces = [bound(space_file(when=when, always=[each])) for each in ("24>0", "24>23")]

    assert {sum(s > t for s, t in space.pairs) for space in spaces} == {1}


def test_all_objections_come_at_once() -> None:
    """So that a reader knows all that would have to change."""
    space = bound(space_file(kinds=["long_range"]))
    layout = parse_layout("+".join(f"{node}>{node}:bottleneck(rank=5)" for node in range(4)))

    assert space.objections(layout) == [
        "it has 4 connections, the space admits 1 to 3",
        "the space has no connection 0>0, 1>1, 2>2 and others",
        "the space has no module bottleneck(rank=5)",
    ]


def test_modules_of_their_own_may_differ() -> None:
    """With ``module_per: connection`` the two of a layout need not agree."""
    layout = parse_layout("3>9:bottleneck(rank=8)+20>4:bottleneck(rank=4)")

    assert bound(space_file(module_per="connection")).contains(layout)


def test_the_first_pass_of_the_file_is_the_layouts() -> None:
    """A recurrent layout of the space carries it."""
    space = bound(space_file(first_pass="adapted"))  # noqa: S106 - no password

    assert space.layout([(9, 3)], [space.modules[0]]).first_pass is FirstPass.ADAPTED


@given(
    at_least=st.integers(1, 3),
    more=st.integers(0, 2),
    n_ranks=st.integers(1, 2),
    module_per=st.sampled_from(["layout", "connection"]),
)
@settings(deadline=None, max_examples=30)
def test_its_size_is_the_number_of_layouts_that_it_contains(
    at_least: int, more: int, n_ranks: int, module_per: str
) -> None:
    """Counted one by one on a space of five candidates."""
    file = space_file(
        kinds=["sequential"],
        sources=["0-4"],
        connections={"at_least": at_least, "at_most": at_least + more},
        modules=[{"type": "bottleneck", "rank": [4, 8][:n_ranks]}],
        module_per=module_per,
    )
    space = bound(file)
    wired = [
        [Connection(source, target, module) for module in space.modules]
        for source, target in space.pairs
    ]
    layouts = (
        Layout(chosen)
        for n in range(1, 6)
        for places in itertools.combinations(wired, n)
        for chosen in itertools.product(*places)
    )

    # The logarithm is that of a whole number far below 2⁵³, rounded once.
    assert math.isclose(
        space.log10_size, math.log10(sum(map(space.contains, layouts))), rel_tol=1e-12
    )


@pytest.mark.slow
@given(n_blocks=st.integers(1, 40))
@settings(deadline=None, max_examples=20)
def test_the_whole_space_has_n_squared_candidates(n_blocks: int) -> None:
    """On a backbone of any depth, each with the kind that its ends fix."""
    n_nodes = 2 * n_blocks + 1
    space = bind_space(
        space_file(), MODULE_TYPES, n_nodes=n_nodes, places=Places(8), budget=Budget()
    )

    assert len(set(space.pairs)) == len(space.pairs) == n_nodes**2
    assert sum(kind_of(s, t) == "recurrent" for s, t in space.pairs) == n_nodes * n_blocks
