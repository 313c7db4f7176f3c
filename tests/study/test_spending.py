"""Baselines cost what an answer may, also where connections come in groups, or modules differ."""

from fractions import Fraction

import pytest

from placement_search.modules import MODULE_TYPES
from placement_search.space import counting
from placement_search.space.budget import Budget
from placement_search.space.search_space import SearchSpace
from placement_search.study.baselines import make_baselines
from placement_search.study.definition import NEWEST_BASELINES
from placement_search.study.equal_budget import EVENLY_SPREAD, GREEDY, equal_budget_baselines
from placement_search.study.spending import affordable, drawn_size
from tests.tiny_spaces import N_NODES, N_RANK_4, N_RANK_8, bound, space_file

SCORES = [[float((3 * s * s + 7 * t) % 11) for t in range(N_NODES)] for s in range(N_NODES)]
TIED = {
    "kinds": ["sequential", "parallel", "long_range"], "tied": "blocks", "never": ["*>0"],
    "connections": {"at_most": 2},
}  # fmt: skip
ROLES = ["last layers", EVENLY_SPREAD, GREEDY, "random 1", "random 2", "random 3"]


def costs(space: SearchSpace, baseline_set: int = NEWEST_BASELINES) -> dict[str, int]:
    """Parameters of the baselines at equal budget, by role."""
    more = equal_budget_baselines(space, MODULE_TYPES, N_NODES, SCORES, 0, baseline_set)
    made = make_baselines(space, N_NODES, 3, 0, more.baselines, baseline_set)
    return {b.role: space.cost(b.layout) for b in made if b.role in ROLES}


def test_tied_connections_are_counted_one_by_one() -> None:
    """Eight of rank 4 cost 5,664 of 6,021 parameters; two groups cost 1,416 to 5,664 before."""
    found = costs(bound(space_file(**TIED), 6021))
    before = costs(bound(space_file(**TIED), 6021), 4)

    assert {found[role] for role in ROLES if role != GREEDY} == {8 * N_RANK_4}
    assert before[GREEDY] <= found[GREEDY] <= 6021
    assert len({before[role] for role in ROLES if role.startswith("random")}) > 1


def test_without_a_budget_too() -> None:
    """Two groups of 12 make ten sets, one of 12 and one of 11 make twenty, so random ones vary."""
    found = costs(bound(space_file(**TIED)))

    assert {found[role] for role in found if role.startswith("random")} == {23 * N_RANK_8}


def test_all_of_them_mix_modules_where_an_answer_may() -> None:
    """One of each rank; two of rank 4 leave 584 of 2,000 parameters."""
    found = costs(bound(space_file(module_per="connection"), 2000))

    assert list(found) == ROLES
    assert set(found.values()) == {N_RANK_4 + N_RANK_8}


def test_further_places_are_added_where_they_are_paid_for() -> None:
    """Four of rank 8 leave 1,104 of 6,000 parameters."""
    space = bound(space_file(module_per="connection", connections={"at_most": 6}), 6000)
    found = costs(space)

    assert min(found.values()) >= 4 * N_RANK_8 + N_RANK_4
    assert max(found.values()) <= 6000


def test_what_has_its_own_module_and_no_ties_is_unchanged() -> None:
    """Studies of earlier sets have the same layouts there."""
    space = bound(max_parameters=3000)

    assert costs(space) == costs(space, 4)


@pytest.mark.parametrize(
    ("space", "limit"),
    [
        (
            {"tied": "blocks", "kinds": ["parallel", "long_range"]},
            Budget(max_bytes=1000 + 4 * 7 * N_RANK_4),
        ),
        (
            {"symmetric": True, "kinds": ["sequential", "long_range", "recurrent"]},
            Budget(max_flops=Fraction(10)),
        ),
    ],
)
def test_under_another_limit_they_cost_what_the_dearest_layout_does(
    space: dict[str, object], limit: Budget
) -> None:
    """Where groups differ in size, too; up to set 5 small groups could set what all may cost."""
    made = bound(space_file(**space), budget=limit)

    assert made.extent.is_exact
    assert affordable(made, 5) < affordable(made) == made.extent.parameters[1]
    for role in ("last layers", EVENLY_SPREAD):
        assert costs(made, 5)[role] < costs(made, 6)[role] <= affordable(made)


def test_places_that_the_space_lacks_do_not_make_random_layouts_small() -> None:
    """LoRA at all attentions is just what the budget pays for; at an MLP it would cost more."""
    file = space_file(
        kinds=["parallel", "long_range"], targets=["attention"], tied="blocks",
        connections={"at_most": 1},
        modules=[{"type": "lora", "rank": 4}, {"type": "bottleneck", "rank": 4}],
    )  # fmt: skip
    space = bound(file, 12 * 2048)
    lora = [module.type for module in space.modules].index("lora")

    assert (drawn_size(space, lora, 6), drawn_size(space, lora)) == (0, 12)


def test_where_layouts_are_too_many_to_count_the_dearest_of_several_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Large groups first, too, not those without a first pass alone."""
    kinds = ["sequential", "long_range", "recurrent"]
    file = space_file(symmetric=True, kinds=kinds, connections={"at_most": 2})
    limit = Budget(max_flops=Fraction(10))
    most = affordable(bound(file, budget=limit))
    monkeypatch.setattr(counting, "MAX_STEPS", 1)
    made = bound(file, budget=limit)

    assert not made.extent.is_exact
    assert affordable(made) == most == 4 * N_RANK_8
