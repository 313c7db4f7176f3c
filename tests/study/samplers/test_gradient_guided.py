import pytest

from placement_search.space.encoding import Encoding
from placement_search.study.greedy import GAMMA, greedy_pairs
from placement_search.study.samplers.gradient_guided import greedy_layouts
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
    pairs = greedy_pairs(made_up_proxies()["effective_rank"], space.pairs, space.at_most, GAMMA)

    assert first == space.layout(pairs, [space.modules[-1]] * space.at_most).notation


def test_every_proxy_and_size_has_its_turn() -> None:
    """Two proxies, two discounts and two modules for each size, the largest size first."""
    found = list(greedy_layouts(ENCODING.space, made_up_proxies()))

    assert [len(layout.connections) for layout in found] == [3] * 8 + [2] * 8 + [1] * 8


@pytest.mark.parametrize(
    "changes", [{"tied": "blocks"}, {"symmetric": True}, {"always": ["3>4"]}], ids=str
)
def test_connections_that_come_together_are_chosen_together(changes: dict[str, object]) -> None:
    """Ties, symmetry and connections that are always there leave it its choices."""
    space = bound(space_file(**changes))
    found = list(greedy_layouts(space, made_up_proxies()))

    assert len(set(found)) > 4
    assert all(space.contains(layout) for layout in found)


def test_choices_keep_the_budget() -> None:
    """A module that can't be paid for as often as there are connections is left out."""
    encoding = Encoding(bound(max_parameters=3 * N_RANK_4))
    first = layouts_of(searched(setting_of(encoding), "gradient-guided", 1))[0]

    assert first.count("rank=4") == 3
