"""Aligning hidden units before an average."""

import pytest
import torch

from placement_search.modules.bottleneck import TYPE, Bottleneck
from placement_search.operations.align import PLANS, aligned
from placement_search.places import Place

ORDER = torch.tensor([2, 0, 3, 1])


def module(seed: int = 0) -> Bottleneck:
    """A bottleneck of rank 4 with random weights everywhere."""
    made = Bottleneck(TYPE.complete({"rank": 4}), Place(6))
    generator = torch.Generator().manual_seed(seed)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    return made


def renumbered(given: Bottleneck) -> Bottleneck:
    """The same function with its hidden units in another order."""
    made = module()
    made.load_state_dict(given.state_dict())
    with torch.no_grad():
        made.down.weight.copy_(given.down.weight[ORDER])
        made.down.bias.copy_(given.down.bias[ORDER])
        made.up.weight.copy_(given.up.weight[:, ORDER])
    return made


def mean(one: Bottleneck, other: Bottleneck, plan: str) -> Bottleneck:
    """The average after alignment."""
    weights = aligned(other, one, PLANS[plan])
    made = module()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            parameter.copy_((one.get_parameter(name) + weights[name]) / 2)
    return made


def states() -> torch.Tensor:
    return torch.randn((3, 5, 6), generator=torch.Generator().manual_seed(1))


def test_a_permuted_copy_merges_back_to_itself() -> None:
    """Exactly, weight by weight."""
    one = module()
    merged = mean(one, renumbered(one), "permutation")

    assert all(torch.equal(merged.get_parameter(n), p) for n, p in one.named_parameters())


def test_without_alignment_it_does_not() -> None:
    """Both compute the same, their plain average does not."""
    one, other = module(), renumbered(module())
    torch.testing.assert_close(one(states()), other(states()))

    assert not torch.allclose(mean(one, other, "none")(states()), one(states()), atol=0.1)


@torch.no_grad()
def test_transport_brings_a_permuted_copy_nearly_back() -> None:
    """Its assignment is soft: far nearer than the plain average, not exact."""
    one, other = module(), renumbered(module())
    target = one(states())
    errors = {
        plan: float((mean(one, other, plan)(states()) - target).square().mean()) for plan in PLANS
    }

    assert errors["permutation"] == 0
    assert errors["transport"] < 0.01 * errors["none"]


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_hands_out_every_unit_once(plan: str) -> None:
    """Rows and columns of a plan sum to 1, so no unit counts twice."""
    costs = torch.rand((5, 5), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    made = PLANS[plan](costs)

    torch.testing.assert_close(made.sum(1), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(made.sum(0), torch.ones(5, dtype=torch.float64), atol=1e-3, rtol=0)


def test_a_permutation_never_leaves_the_modules_further_apart() -> None:
    """The plain order is one of those that it chooses from."""
    one, other = module(0), module(1)

    def distance(plan: str) -> float:
        weights = aligned(other, one, PLANS[plan])
        gaps = [(weights[n] - p.detach()).square().sum() for n, p in one.named_parameters()]
        return float(torch.stack(gaps).sum())

    assert distance("permutation") <= distance("none")


def test_alignment_does_not_change_what_a_module_computes() -> None:
    """A permutation only renumbers units."""
    one, other = module(0), module(1)
    weights = aligned(other, one, PLANS["permutation"])
    made = module()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            parameter.copy_(weights[name])

    torch.testing.assert_close(made(states()), other(states()))


def test_equal_modules_have_no_costs_to_divide_by() -> None:
    """Transport between modules whose units are all alike stays finite."""
    assert torch.isfinite(PLANS["transport"](torch.zeros((3, 3), dtype=torch.float64))).all()
