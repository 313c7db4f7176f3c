"""Rules between choices, and what becomes of a wish that they forbid."""

import itertools
import random
from collections import Counter

import pytest

from placement_search.errors import SpaceError
from placement_search.modules import parse_layout
from placement_search.space.budget import Budget
from placement_search.space.encoding import Encoding
from placement_search.space.legality import Completion
from placement_search.space.search_space import SearchSpace
from tests.tiny_spaces import bound, space_file

FOUR = {"sources": ["0-3"], "targets": ["0-3"], "connections": {"at_most": 3}}
EACH = {**FOUR, "module_per": "connection"}


def contains(space: SearchSpace, ends: str, rank: int = 4) -> bool:
    """Whether the space has the layout of these connections."""
    parts = [f"{pair}:bottleneck(rank={rank})" for pair in ends.split("+")]
    return space.contains(parse_layout("+".join(parts)))


def test_a_kind_may_be_limited() -> None:
    """``at_most`` counts the connections that the condition is about."""
    space = bound(space_file(**FOUR, when=[{"has": "recurrent", "at_most": 1}]))

    assert contains(space, "3>0+0>1+0>2")
    assert contains(space, "0>1+0>2+0>3")
    assert not contains(space, "3>0+2>0")


def test_a_layout_with_a_kind_may_be_limited() -> None:
    """``in_all`` counts all connections, where there is one that the condition is about."""
    space = bound(space_file(**FOUR, when=[{"has": "recurrent", "in_all": 2}]))

    assert contains(space, "3>0+0>1")
    assert contains(space, "0>1+0>2+0>3")
    assert not contains(space, "3>0+0>1+0>2")


def test_a_kind_may_have_modules_of_its_own() -> None:
    """The others keep theirs."""
    space = bound(space_file(**EACH, when=[{"has": "long_range", "module": {"rank": 4}}]))

    assert contains(space, "0>2", rank=4)
    assert not contains(space, "0>2", rank=8)
    assert contains(space, "0>1", rank=8)


def test_connections_may_exclude_others() -> None:
    """By kinds and by their ends."""
    space = bound(space_file(**FOUR, when=[{"has": "*>0", "without": "parallel"}]))

    assert contains(space, "2>0+0>2")
    assert contains(space, "0>1+0>2")
    assert not contains(space, "2>0+0>1")


RANK_4, RANK_8 = "0>1:bottleneck(rank=4)", "0>2:bottleneck(rank=8)"


@pytest.mark.parametrize(
    ("condition", "inside", "outside"),
    [
        pytest.param(
            {"has": {"module": {"rank": 8}}, "at_most": 1},
            [f"{RANK_4}+{RANK_8}", "0>2:bottleneck(rank=4)+0>1:bottleneck(rank=4)"],
            [f"{RANK_8}+0>3:bottleneck(rank=8)"],
            id="so many of them",
        ),
        pytest.param(
            {"has": {"module": {"rank": 8}, "connections": "long_range"}, "in_all": 1},
            [RANK_8, f"{RANK_4}+1>2:bottleneck(rank=8)", f"{RANK_4}+0>2:bottleneck(rank=4)"],
            [f"{RANK_4}+{RANK_8}"],
            id="so many in all, where it is here",
        ),
        pytest.param(
            {"has": {"module": {"rank": 8}}, "without": "recurrent"},
            [f"{RANK_4}+{RANK_8}", f"{RANK_4}+3>0:bottleneck(rank=4)"],
            [f"{RANK_8}+3>0:bottleneck(rank=4)", "3>0:bottleneck(rank=8)"],
            id="none of these places",
        ),
        pytest.param(
            {"has": "recurrent", "without": {"module": {"rank": 8}}},
            [f"{RANK_4}+{RANK_8}", f"{RANK_4}+3>0:bottleneck(rank=4)"],
            [f"{RANK_8}+3>0:bottleneck(rank=4)"],
            id="none of these modules",
        ),
        pytest.param(
            {"has": "parallel", "without": {"module": {"rank": 8}, "connections": "*>2"}},
            [f"{RANK_4}+0>3:bottleneck(rank=8)", f"0>3:bottleneck(rank=4)+{RANK_8}"],
            [f"{RANK_4}+{RANK_8}"],
            id="none of these modules there",
        ),
    ],
)
def test_a_condition_may_name_modules(
    condition: dict[str, object], inside: list[str], outside: list[str]
) -> None:
    """By their settings, wherever they are or at places that it names too."""
    space = bound(space_file(**EACH, when=[condition]))

    assert [each for each in inside if not space.contains(parse_layout(each))] == []
    assert [each for each in outside if space.contains(parse_layout(each))] == []


def test_where_all_connections_have_one_module_a_condition_may_start_from_it() -> None:
    """Layouts of the dear module are small ones, and each module's baselines know their size."""
    space = bound(space_file(**FOUR, when=[{"has": {"module": {"rank": 8}}, "in_all": 2}]))

    assert contains(space, "0>1+0>2+0>3", rank=4)
    assert not contains(space, "0>1+0>2+0>3", rank=8)
    assert [space.choices.most(module) for module in (0, 1)] == [3, 2]


RANKS = {"module_per": "connection", "modules": [{"type": "bottleneck", "rank": [2, 4, 8]}]}
CHEAP_ONES_LEAD_NOWHERE = [
    {"has": {"module": {"rank": 2}}, "at_most": 4, "without": {"module": {"rank": 8}}},
    {"has": {"module": {"rank": 4}}, "at_most": 3},
    {"has": {"module": {"rank": 8}}, "at_most": 6},
]
AT_PLACES = [
    {"has": kind, "at_most": n}
    for kind, n in {"recurrent": 2, "sequential": 2, "*>0": 1, "24>*": 1, "mlp>mlp": 2}.items()
]


def test_no_layout_is_lost_where_the_cheapest_modules_lead_nowhere() -> None:
    """Eight of rank 2 and 4 are not to be had, and there are many ways to find that out."""
    kinds = ["sequential", "parallel", "long_range", "recurrent"]
    when = [*AT_PLACES, *CHEAP_ONES_LEAD_NOWHERE]
    space = bound(space_file(**RANKS, kinds=kinds, connections={"exactly": 8}, when=when))
    parts = [f"1>{t}:bottleneck(rank={4 if t < 5 else 8})" for t in (3, 4, 5, 6, 7, 8, 9, 10)]

    assert space.contains(parse_layout("+".join(parts)))
    assert len(space.random_layout(random.Random(0)).connections) == 8  # noqa: S311


def test_a_module_is_left_out_only_where_no_layout_can_have_it() -> None:
    """Of six places at most three have rank 2, and two rank 4, which goes beside rank 8."""
    when = [{"has": f"*>block {number}", "at_most": 1} for number in range(6)]
    when += [
        {"has": {"module": {"rank": 2}}, "at_most": 3, "without": {"module": {"rank": 8}}},
        {"has": {"module": {"rank": 4}}, "at_most": 2},
    ]
    space = bound(space_file(**RANKS, kinds=["parallel"], connections={"exactly": 6}, when=when))

    assert [module.notation for module in space.modules] == [
        "bottleneck(rank=4)", "bottleneck(rank=8)",
    ]  # fmt: skip


def test_a_budget_is_blamed_only_where_it_is_shown_to_be_too_small() -> None:
    """Three of rank 4 cost 2,124; those of rank 2, which are tried first, lead nowhere."""
    when = [{"has": f"*>{node}", "at_most": 1} for node in range(8)]
    when += [{"has": f"{node}>*", "at_most": 1} for node in range(8)]
    when += [{"has": {"module": {"rank": 2}}, "at_most": 1, "without": {"module": {"rank": 4}}}]
    narrow = {"sources": ["0-7"], "targets": ["0-7"], "kinds": ["parallel", "long_range"]}
    space = bound(space_file(**RANKS, **narrow, connections={"exactly": 3}, when=when), 2200)

    parts = [f"{ends}:bottleneck(rank=4)" for ends in ("1>2", "2>4", "3>5")]
    assert space.contains(parse_layout("+".join(parts)))


def test_what_was_not_found_is_not_said_to_be_impossible(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that gives up knows of no layout, and of none that there is not."""
    monkeypatch.setattr(Completion.__init__, "__defaults__", (2,))
    file = space_file(**RANKS, connections={"exactly": 3}, when=CHEAP_ONES_LEAD_NOWHERE)

    with pytest.raises(SpaceError, match=r"was found that meets when.* to say that there is none"):
        bound(file)


def test_connections_that_are_always_there_count() -> None:
    """A layout without them is not the space's, and they are among the most."""
    space = bound(space_file(**FOUR, always=["0>1", "1>0"]))

    assert (space.at_least, space.at_most) == (2, 3)
    assert contains(space, "0>1+1>0")
    assert not contains(space, "0>1+2>3")


def test_a_group_is_there_as_a_whole() -> None:
    """Half of it, or two modules in it, is not."""
    space = bound(space_file(**EACH, symmetric=True))

    assert contains(space, "0>2+2>0")
    assert not contains(space, "0>2")
    assert not space.contains(parse_layout("0>2:bottleneck(rank=4)+2>0:bottleneck(rank=8)"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"when": [{"has": "recurrent", "module": {"rank": 16}}]}, "when.0.module fits none"),
        (
            {"when": [{"has": "recurrent", "module": {"rnk": 4}}]},
            "when.0.module: no module of the space has a setting 'rnk' (did you mean 'rank'?)",
        ),
        (
            {"when": [{"has": "recurrent", "module": {"type": "botleneck"}}]},
            "no module of type 'botleneck' (did you mean 'bottleneck'?)",
        ),
        ({"when": [{"has": "*>99", "at_most": 1}]}, "when.0.has: the backbone has nodes 0 to 24"),
        (
            {"when": [{"has": {"module": {"rank": 16}}, "at_most": 1}]},
            "when.0.has.module fits none",
        ),
        (
            {"when": [{"has": "parallel", "without": {"module": {"rnk": 8}}}]},
            "when.0.without.module: no module of the space has a setting 'rnk'",
        ),
        (
            {"when": [{"has": {"connections": "*>99", "module": {"rank": 8}}, "at_most": 1}]},
            "when.0.has.connections: the backbone has nodes 0 to 24",
        ),
        (
            {"always": ["3>0", "2>0"], "when": [{"has": "recurrent", "at_most": 1}]},
            "meets when, always and never together",
        ),
        (
            {"kinds": ["recurrent"], "connections": {"exactly": 2}, "when": [
                {"has": "recurrent", "at_most": 1}
            ]},
            "no layout of at least 2 connections meets when",
        ),
        (
            {"kinds": ["parallel"], "targets": [1], "connections": {"exactly": 2}},
            "admit 1 connection,",
        ),
        (
            {"always": ["0>1", "1>2"], "connections": {"at_most": 1}},
            "always names 2 connections, connections.at_most allows 1",
        ),
        ({"never": ["*>*"]}, "kinds, sources, targets and never admit 0"),
    ],
)  # fmt: skip
def test_contradictions_are_errors(changes: dict[str, object], said: str) -> None:
    """A file whose keys leave nothing says which of them."""
    with pytest.raises(SpaceError) as raised:
        bound(space_file(**changes))

    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(1000), "2 connections cost at least 1,416 parameters, the most is 1,000"),
        (Budget(max_bytes=2000), "6,664 bytes, the most is 2,000"),
    ],
)
def test_what_is_always_there_must_be_payable(budget: Budget, said: str) -> None:
    """The smallest layout and the limit stand side by side."""
    with pytest.raises(SpaceError) as raised:
        bound(space_file(always=["0>1", "1>2"]), budget=budget)

    assert said in str(raised.value)


def test_a_wish_that_can_not_be_met_gives_way_to_another() -> None:
    """Of two recurrent wishes where one is allowed, the first stays.

    The second becomes the connection that is as far along those that can be had as it is along all.
    """
    file = space_file(**FOUR | {"connections": {"exactly": 2}}, when=[
        {"has": "recurrent", "at_most": 1}
    ])  # fmt: skip
    space = bound(file)
    number = {group[0]: index for index, group in enumerate(space.groups)}
    chosen = space.choices.repaired([(number[3, 0], 0), (number[2, 0], 0)])

    # 2>0 is the ninth of 16; of the ten that run forward, the sixth is 1>2.
    assert [space.groups[group][0] for group, _ in chosen] == [(3, 0), (1, 2)]


def test_what_no_layout_can_have_is_no_candidate() -> None:
    """What conditions or the budget keep out would waste a sampler's proposals."""
    space = bound(space_file(**FOUR, always=["3>0"], when=[{"has": "recurrent", "at_most": 1}]))

    assert (2, 0) not in space.pairs
    assert len(space.pairs) == 1 + 10


def test_wishes_that_can_not_be_met_spread_over_what_can() -> None:
    """Uniform numbers still mean every connection that can be had about as often as another."""
    space = bound(space_file(**FOUR | {"connections": {"exactly": 2}}, when=[
        {"has": "recurrent", "without": "*>*"}, {"has": "sequential", "at_most": 1}
    ]))  # fmt: skip
    generator = random.Random(0)  # noqa: S311 - reproducible
    ends = Counter(
        pair for _ in range(2000)
        for pair in ((c.source, c.target) for c in space.random_layout(generator).connections)
    )  # fmt: skip

    assert ends.keys() == {(s, t) for s in range(4) for t in range(s, 4)}
    assert max(ends.values()) < 2 * min(ends.values())


def test_a_wish_whose_module_is_forbidden_keeps_its_place() -> None:
    """It gets the nearest cheaper module that is allowed, else the nearest dearer one."""
    ranks = [{"type": "bottleneck", "rank": [2, 4, 8]}]
    when = [{"has": "parallel", "module": {"rank": [2, 4]}}, {"has": "0>3", "module": {"rank": 8}}]
    space = bound(space_file(**EACH, modules=ranks, when=when))
    number = {group[0]: index for index, group in enumerate(space.groups)}

    assert space.choices.repaired([(number[0, 1], 2)]) == [(number[0, 1], 1)]
    assert space.choices.repaired([(number[0, 3], 0)]) == [(number[0, 3], 2)]


def test_every_layout_of_a_space_with_all_rules_has_numbers() -> None:
    """Whatever the space contains a sampler can propose: every layout survives the round trip."""
    file = space_file(
        sources=["0-2"],
        targets=["0-2"],
        connections={"at_least": 1, "at_most": 3},
        module_per="connection",
        always=["1>1"],
        never=["2>0"],
        when=[{"has": "recurrent", "module": {"rank": 4}}, {"has": "0>0", "without": "long_range"}],
    )
    space = bound(file, budget=Budget(2800, max_flops=None))
    encoding = Encoding(space)
    everything = list(itertools.product(range(len(space.groups)), range(len(space.modules))))
    sets = [s for n in (1, 2, 3) for s in itertools.combinations(everything, n)]
    legal = [space.layout_of(s) for s in sets if space.choices.contains(s)]

    assert len(legal) == space.n_layouts
    for layout in legal:
        assert encoding.decode(encoding.encode(layout)) == layout


@pytest.mark.parametrize(
    ("when", "most"),
    [
        ([{"has": "parallel", "in_all": 1}], 4),
        ([{"has": "parallel", "without": "long_range"}], 4),
        ([{"has": "parallel", "in_all": 2}, {"has": "long_range", "at_most": 2}], 2),
    ],
)
def test_the_most_connections_are_those_of_the_largest_set(when: list[object], most: int) -> None:
    """A cheap connection that a condition lets stand almost alone is not taken first."""
    changes = FOUR | {"kinds": ["parallel", "long_range"], "connections": {"at_most": 4}}
    space = bound(space_file(**changes | {"targets": ["0-4"]}, when=when))

    assert [space.choices.most(module) for module in (0, 1)] == [most, most]


def test_a_wished_set_is_filled_where_its_first_wish_would_forbid_the_others() -> None:
    """Then that wish gives way; where no set is so large, it stays."""
    file = space_file(
        kinds=["parallel", "long_range"],
        connections={"at_most": 4},
        when=[{"has": "parallel", "in_all": 1}],
    )
    space = bound(file)
    number = {group[0]: index for index, group in enumerate(space.groups)}
    wished = [(number[pair], 0) for pair in ((0, 1), (0, 2), (0, 3), (0, 4))]

    assert len(space.choices.repaired(wished)) == 1
    assert len(space.choices.filled(wished, 4)) == 4
    assert space.choices.contains(space.choices.filled(wished, 4))
    assert space.choices.filled(wished, 5) == [wished[0]]


@pytest.mark.parametrize("wishes", [[], ["0>3"]], ids=str)
def test_what_is_always_there_need_not_be_wished_for(wishes: list[str]) -> None:
    """It comes with the module of the first wish, as far as it fits."""
    space = bound(space_file(**FOUR | {"connections": {"exactly": 2}}, always=["0>1"]))
    number = {f"{group[0][0]}>{group[0][1]}": index for index, group in enumerate(space.groups)}
    made = space.choices.repaired([(number[wish], 1) for wish in wishes])

    assert space.choices.contains(made)
    assert {number[pair] for pair in ("0>1", *wishes)} <= {group for group, _ in made}
    assert {module for _, module in made} == {1 if wishes else 0}
