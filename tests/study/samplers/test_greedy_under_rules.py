"""Greedy choices where a rule binds: the best that can be had, at every size; elsewhere the old."""

import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.placements.maps import read_maps
from placement_search.layout import Layout
from placement_search.modules import MODULE_TYPES
from placement_search.space.budget import Budget
from placement_search.space.choices import Choice
from placement_search.space.encoding import Encoding
from placement_search.space.file import SpaceFile, read_space, spaces_folder
from placement_search.space.search_space import SearchSpace
from placement_search.study.equal_budget import GREEDY, equal_budget_baselines
from placement_search.study.greedy import (
    Discount,
    FittingChoices,
    Ranking,
    greedy_groups,
    group_scores,
)
from placement_search.study.samplers import version_of
from placement_search.study.samplers.gradient_guided import every_greedy_layout, first_choices
from placement_search.study.samplers.sampler import Scores
from placement_search.study.samplers.switch import kept_layouts
from tests.study.samplers.asking import ENCODING, layouts_of, searched, setting_of
from tests.tiny_spaces import N_NODES, N_RANK_4, N_RANK_8, bound, space_file

LORA = {"type": "lora", "rank": 8, "linears": "all"}
"""Around attention 4,096 parameters, around MLPs 5,120."""
AROUND = {"kinds": ["parallel"], "modules": [LORA], "connections": {"at_most": 6}}
MLPS_FIRST = [
    [100 * (source % 2) + source / 100 for _ in range(N_NODES)] for source in range(N_NODES)
]
"""MLPs, which a connection from an odd node goes around, above attention; late ones first."""


def greedy_of(
    space: SearchSpace, scores: Scores, module: int, n: int, gamma: float
) -> Iterable[list[Choice]]:
    discount = Discount(space.groups, gamma)
    values = group_scores(scores, space.groups)
    return FittingChoices(space.choices).of(lambda: Ranking(values, discount), module, n)


def pairs_of(layout: Layout) -> set[tuple[int, int]]:
    return {(c.source, c.target) for c in layout.connections}


def grid(seed: int) -> Scores:
    generator = random.Random(seed)  # noqa: S311
    return [[float(generator.randrange(9)) for _ in range(N_NODES)] for _ in range(N_NODES)]


def test_a_condition_leaves_the_best_that_it_admits() -> None:
    """The best one is recurrent, of which there may be one; then the best that is not."""
    space = bound(read_space(str(spaces_folder() / "examples" / "feedback.yaml")))
    scores = {"frobenius_norm": read_maps()["digits-count"]["frobenius_norm"]}
    setting = replace(setting_of(Encoding(space)), proxies=scores, gammas=(0.0,))
    found = {
        len(layout.connections): pairs_of(layout)
        for layout in itertools.islice(every_greedy_layout(setting), 4)
    }

    assert found[3] == {(23, 24), (3, 1), (1, 2)}
    assert all((3, 1) in pairs for n, pairs in found.items() if n > 1)
    assert sorted(found) == [1, 2, 3, 4]


@pytest.mark.parametrize(("limit", "most"), [(25_000, 6), (13_000, 3)])
def test_under_a_budget_places_of_other_prices_leave_every_size(limit: int, most: int) -> None:
    """Where so many fit only around attention it is the best of those; fewer have MLPs."""
    space = bound(space_file(**AROUND), limit)
    setting = replace(setting_of(Encoding(space)), proxies={"fisher": MLPS_FIRST}, gammas=(0.0,))
    found = list(itertools.islice(every_greedy_layout(setting), most))
    attention = [(source, source + 1) for source in range(22, -1, -2)]

    assert [len(layout.connections) for layout in found] == list(range(most, 0, -1))
    assert pairs_of(found[0]) == set(attention[:most])
    assert pairs_of(found[-1]) == {(23, 24)}


def test_the_baseline_is_the_best_that_can_be_paid() -> None:
    """By its discount, too, no place around an MLP fits beside five others."""
    space = bound(space_file(**AROUND), 25_000)
    made = equal_budget_baselines(space, MODULE_TYPES, N_NODES, MLPS_FIRST).baselines
    layout = next(baseline.layout for baseline in made if baseline.role == GREEDY)

    assert len(layout.connections) == 6
    assert all(c.source % 2 == 0 for c in layout.connections)
    assert (22, 23) in pairs_of(layout)


def test_first_choices_are_the_best_that_can_be_paid() -> None:
    """Those of `guided` as well."""
    space = bound(space_file(**AROUND), 25_000)
    setting = replace(setting_of(Encoding(space)), proxies={"fisher": MLPS_FIRST}, gammas=(0.0,))

    assert [pairs_of(layout) for layout in first_choices(setting, ["fisher"])] == [
        {(source, source + 1) for source in range(12, 24, 2)}
    ]


def test_what_switches_keep_gives_way_to_the_next_probable() -> None:
    """MLPs are kept before all, and too dear for six."""
    space = bound(space_file(**AROUND), 25_000)
    keep = {pair: 0.5 + MLPS_FIRST[pair[0]][0] / 1000 for pair in space.pairs}

    assert pairs_of(next(kept_layouts(space, keep))) == {
        (source, source + 1) for source in range(12, 24, 2)
    }


def test_a_place_without_a_switch_is_not_kept() -> None:
    """Also where a set of so many could be completed by it alone."""
    space = bound(space_file(**AROUND), 25_000)
    keep = {(source, source + 1): 0.9 for source in (1, 3, 5, 7, 8, 9)}
    found = list(kept_layouts(space, keep))

    assert all(keep.keys() >= pairs_of(layout) for layout in found)
    assert sorted(len(layout.connections) for layout in found) == [1, 2, 3, 4, 5]


def test_modules_that_fit_few_places_stand_beside_others() -> None:
    """Factors and LoRA fit attention, a bias MLPs: no three of one kind in two blocks."""
    file = space_file(
        kinds=["parallel"],
        sources=["0-3"],
        targets=["1-4"],
        connections={"exactly": 3},
        module_per="connection",
        modules=[{"type": "hadamard"}, {"type": "lora", "rank": 1}, {"type": "adapter_bias"}],
    )
    space = bound(file, budget=Budget(max_flops=Fraction("1.1")))
    setting = setting_of(Encoding(space))
    found = list(every_greedy_layout(setting))
    first = layouts_of(searched(setting, "gradient-guided", 1))

    assert found and all(space.contains(layout) for layout in found)
    assert first == [found[0].notation]


@given(
    st.integers(0, 10**6),
    st.sampled_from([0.0, 0.6]),
    st.sampled_from([
        {"when": [{"has": "recurrent", "at_most": 1}]},
        {"when": [{"has": "parallel", "in_all": 2}], "always": ["0>1"]},
        {"when": [{"has": "*>0", "without": "parallel"}], "always": ["2>2"]},
        {"when": [{"has": {"module": {"rank": 8}}, "in_all": 2, "without": "recurrent"}]},
        {"symmetric": True, "kinds": ["long_range", "recurrent", "parallel"]},
    ]),
    st.sampled_from([None, N_RANK_4 + N_RANK_8, 3 * N_RANK_4]),
    st.integers(0, 1),
)  # fmt: skip
def test_each_choice_is_the_best_that_a_set_can_be_completed_with(
    seed: int, gamma: float, rules: dict[str, object], limit: int | None, module: int
) -> None:
    """As a look at all sets says."""
    nodes = {"sources": ["0-2"], "targets": ["0-2"]}
    space = bound(space_file(**nodes | rules), limit)
    scores, module = grid(seed), min(module, len(space.modules) - 1)
    for n in range(space.at_least, space.at_most + 1):
        made = [[group for group, _ in each] for each in greedy_of(space, scores, module, n, gamma)]
        best = by_hand(space, scores, module, n, gamma)

        assert made[:1] == ([] if best is None else [best])


def by_hand(
    space: SearchSpace, scores: Scores, module: int, n: int, gamma: float
) -> list[int] | None:
    """Greedy choice among all legal sets of ``n`` groups with a module."""
    groups = range(len(space.groups))
    sets = [
        set(chosen)
        for chosen in itertools.combinations(groups, n)
        if space.choices.contains([(group, module) for group in chosen])
    ]
    made = sorted(space.choices.always)
    while sets and len(made) < n:
        # Which of those that a set can have is the best hangs on what is chosen alone.
        open_ = sorted(set().union(*(each for each in sets if each.issuperset(made))))
        among = [space.groups[group] for group in open_]
        taken = [open_.index(group) for group in made]
        made.append(open_[greedy_groups(scores, among, len(made) + 1, gamma, taken)[-1]])
    return made if sets else None


UNRULED = [
    (space_file(), None),
    (space_file(), 3 * N_RANK_4),
    (space_file(always=["3>4"], connections={"at_most": 2}), None),
    (space_file(tied="blocks"), None),
    (space_file(symmetric=True), None),
    (space_file(module_per="connection"), None),
    (read_space("extended"), 6000),
    (read_space("per_layer"), 6000),
]


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.6]), st.sampled_from(UNRULED), st.data())
def test_where_no_rule_binds_it_is_the_plain_greedy_order(
    seed: int, gamma: float, made_of: tuple[SpaceFile, int | None], data: st.DataObject
) -> None:
    """The next best ones go down the one ranking, as in earlier versions of the sampler."""
    space = bound(*made_of)
    module = data.draw(st.integers(0, len(space.modules) - 1))
    n = data.draw(st.integers(space.at_least, min(space.at_most, space.choices.most(module))))
    scores, always = grid(seed), sorted(space.choices.always)
    order = greedy_groups(scores, space.groups, n + 3, gamma, always)
    lasts = [None] if n == len(always) else order[n - 1 : n + 3]
    plain = [[*order[: n - 1], last] if last is not None else order[:n] for last in lasts]
    found = itertools.islice(greedy_of(space, scores, module, n, gamma), len(plain))

    assert not space.choices.is_ruled
    assert [[group for group, _ in each] for each in found] == plain


@pytest.mark.parametrize(
    ("space", "is_ruled"),
    [
        (ENCODING.space, False),
        (bound(max_parameters=2000), False),
        (bound(space_file(module_per="connection")), False),
        (bound(space_file(module_per="connection"), 2000), True),
        (bound(space_file(when=[{"has": "recurrent", "at_most": 1}])), True),
        (bound(space_file(**AROUND), 25_000), True),
        (bound(space_file(**AROUND)), False),
    ],
)
def test_only_where_rules_choose_among_sets_of_one_size_samplers_have_another_version(
    space: SearchSpace, is_ruled: bool
) -> None:
    """Elsewhere they propose what they did, so studies and benchmarks go on."""
    names: Sequence[str] = ("guided", "gradient-guided", "switch", "tpe", "gp")
    versions = [version_of(name, is_ruled=space.choices.is_ruled) for name in names]

    assert space.choices.is_ruled is is_ruled
    assert versions == ([6, 6, 4, 2, 3] if is_ruled else [4, 4, 2, 1, 2])
