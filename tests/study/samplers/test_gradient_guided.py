from dataclasses import replace
from itertools import islice

import pytest

from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.space.encoding import Encoding
from placement_search.study.greedy import GAMMA, greedy_groups
from placement_search.study.samplers.gradient_guided import (
    every_greedy_layout,
    first_choices,
    greedy_layouts,
)
from tests.study.samplers.asking import (
    ENCODING,
    layouts_of,
    made_up_proxies,
    searched,
    setting_of,
)
from tests.tiny_spaces import N_RANK_4, bound, space_file


def test_the_first_proposal_is_the_papers_choice() -> None:
    """As many connections as the space admits, by a rank, discounted, with the largest module."""
    first = layouts_of(searched(setting_of(ENCODING), "gradient-guided", 1))[0]
    space = ENCODING.space
    scores, places = made_up_proxies()["effective_rank"], [(pair,) for pair in space.pairs]
    chosen = greedy_groups(scores, places, space.at_most, GAMMA)
    pairs = [space.pairs[number] for number in chosen]

    assert first == space.layout(pairs, [space.modules[-1]] * space.at_most).notation


def test_every_proxy_and_size_has_its_turn() -> None:
    """Two proxies, two discounts and two modules for each size, the largest size first."""
    found = list(greedy_layouts(setting_of(ENCODING)))

    assert [len(layout.connections) for layout in found] == [3] * 8 + [2] * 8 + [1] * 8


def test_the_greedy_layouts_that_guided_looks_at_have_modules_in_turn() -> None:
    """Their order is part of what `guided` proposes, so it may not change."""
    modules = [layout.connections[0].module for layout in greedy_layouts(setting_of(ENCODING))]

    assert modules == [*reversed(ENCODING.space.modules)] * 12


def test_a_module_has_every_size_before_the_next_module_comes() -> None:
    """Two proxies and two discounts for each size, the largest first, with the dearest module."""
    found = list(islice(every_greedy_layout(setting_of(ENCODING)), 24))
    cheap, dear = ENCODING.space.modules

    assert [layout.connections[0].module for layout in found] == [dear] * 12 + [cheap] * 12
    assert [len(layout.connections) for layout in found] == ([3] * 4 + [2] * 4 + [1] * 4) * 2
    assert set(found) == set(greedy_layouts(setting_of(ENCODING)))


def test_a_search_of_usual_length_comes_to_every_size() -> None:
    """Of four modules and three sizes; with modules in turn it would know the largest size only."""
    file = space_file(modules=[{"type": "bottleneck", "rank": [2, 4, 8, 16]}])
    found = layouts_of(searched(setting_of(Encoding(bound(file))), "gradient-guided", 12))

    assert {layout.count(">") for layout in found} == {1, 2, 3}


def test_with_one_module_the_order_is_that_of_earlier_versions() -> None:
    """By size, discount and proxy."""
    one = Encoding(bound(space_file(modules=[{"type": "bottleneck", "rank": 4}])))
    greedy = list(greedy_layouts(setting_of(one)))

    assert list(islice(every_greedy_layout(setting_of(one)), len(greedy))) == greedy


def test_first_choices_take_modules_in_turn() -> None:
    """Each proxy's own choice, as large as may be, with another module than the one before."""
    space = ENCODING.space
    asked = ["nuclear_norm", "unknown", "effective_rank"]
    found = list(first_choices(setting_of(ENCODING), asked))

    assert [len(layout.connections) for layout in found] == [space.at_most] * 2
    assert [layout.connections[0].module for layout in found] == [*reversed(space.modules)]


@pytest.mark.parametrize(
    "changes", [{"tied": "blocks"}, {"symmetric": True}, {"always": ["3>4"]}], ids=str
)
def test_connections_that_come_together_are_chosen_together(changes: dict[str, object]) -> None:
    """Ties, symmetry and connections that are always there leave it its choices."""
    space = bound(space_file(**changes))
    found = list(greedy_layouts(setting_of(Encoding(space))))

    assert len(set(found)) > 4
    assert all(space.contains(layout) for layout in found)


@pytest.mark.parametrize("always", [["3>4"], ["3>4", "6>6"]], ids=str)
def test_what_is_always_there_gives_way_to_nothing(always: list[str]) -> None:
    """When its choices are used up it goes down the rankings of the others, to their last."""
    space = bound(space_file(always=always, connections={"at_most": len(always) + 1}))
    found = list(every_greedy_layout(setting_of(Encoding(space))))

    assert all(space.contains(layout) for layout in found)
    assert len(set(found)) == len(space.modules) * (len(space.choices.free) + 1)


def test_choices_keep_the_budget() -> None:
    """The module that can be paid for most often comes first, then the dearer one, but once."""
    encoding = Encoding(bound(max_parameters=3 * N_RANK_4))
    found = list(islice(every_greedy_layout(setting_of(encoding)), 16))
    ranks = [layout.notation.count("rank=4") for layout in found]

    assert ranks == [3] * 4 + [2] * 4 + [1] * 4 + [0] * 4
    assert all(encoding.space.contains(layout) for layout in found)


def test_it_goes_down_the_rankings_when_its_choices_are_used_up() -> None:
    """Of single connections by two proxies: the best ones first, then each next best."""
    encoding = Encoding(
        bound(space_file(connections={"at_most": 1}, modules=[{"type": "bottleneck", "rank": 4}]))
    )
    setting = replace(setting_of(encoding), gammas=(0.0,))
    found = [parse_layout(each, MODULE_TYPES) for each in layouts_of(
        searched(setting, "gradient-guided", 40)
    )]  # fmt: skip
    pairs = [(c.source, c.target) for layout in found for c in layout.connections]
    best = {
        pair
        for scores in setting.proxies.values()
        for pair in sorted(encoding.space.pairs, key=lambda p: -scores[p[0]][p[1]])[:22]
    }

    assert set(pairs) <= best


def test_a_searched_learning_rate_does_not_stop_it_at_its_first_layout() -> None:
    """Every layout has its turn before one comes again with another rate."""
    rates = {"learning_rate": {"low": 0.001, "high": 0.1}}
    setting = setting_of(Encoding(bound(space_file(training=rates))))
    found = layouts_of(searched(setting, "gradient-guided", 12))

    assert len(set(found)) == len(found)


def test_the_discount_is_a_setting() -> None:
    """Without one, the best three by a proxy, however near."""
    setting = replace(setting_of(ENCODING), gammas=(0.0,))
    first = layouts_of(searched(setting, "gradient-guided", 1))[0]
    space = ENCODING.space
    scores, places = made_up_proxies()["effective_rank"], [(pair,) for pair in space.pairs]
    chosen = greedy_groups(scores, places, space.at_most, 0.0)
    pairs = [space.pairs[number] for number in chosen]

    assert first == space.layout(pairs, [space.modules[-1]] * space.at_most).notation
