"""ARC: one projection for many connections, linear, as large as on paper."""

import pytest
import torch
from torch import Tensor, nn

from placement_search.modules import build_modules, count_parameters, parse_layout
from placement_search.modules.arc import TYPE, Arc
from placement_search.places import Place, Places

WIDTH = 12


def states() -> Tensor:
    return torch.randn((3, 5, WIDTH), generator=torch.Generator().manual_seed(0))


def made(*, norm: bool = False) -> Arc:
    module = Arc(TYPE.complete({"rank": 3, "norm": norm}), Place(WIDTH))
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(parameter.numel()))
    return module


def built(notation: str) -> list[Arc]:
    modules = build_modules(parse_layout(notation), Places(WIDTH), 0)
    return [module for module in modules if isinstance(module, Arc)]


def test_it_is_a_projection_there_and_back() -> None:
    """``(h(W ⊙ λ))Wᵀ + b``, with each column of W rescaled."""
    module = made()
    scaled = module.projection * module.factors

    torch.testing.assert_close(
        module(states()), states() @ scaled @ module.projection.T + module.bias
    )


def test_it_is_linear_without_a_norm_alone() -> None:
    """What a norm makes is not."""

    def doubled(module: Arc) -> bool:
        nothing = module(torch.zeros(3, 5, WIDTH))
        ours = module(2 * states()) - nothing
        return torch.allclose(ours, 2 * (module(states()) - nothing), atol=1e-4)

    assert doubled(made())
    assert not doubled(made(norm=True))


def test_vit_b_has_the_parameters_of_the_paper() -> None:
    """96,432: two projections of 768 x 50, and 50 + 768 before each of 24 sub-layers."""
    notation = "+".join(f"{node}>{node}:arc(group={node % 2})" for node in range(24))

    assert count_parameters(parse_layout(notation), Places(768)) == 96_432


@pytest.mark.parametrize(
    ("notation", "n_projections"),
    [
        ("1>1:arc+2>2:arc+0>4:arc", 1),
        ("1>1:arc+2>2:arc(group=1)+3>3:arc(group=1)", 2),
        ("1>1:arc(rank=4)+2>2:arc(rank=5)", 2),
    ],
)
def test_connections_of_equal_settings_share_a_projection(
    notation: str, n_projections: int
) -> None:
    """A group or a rank of its own is another projection."""
    modules = built(notation)

    assert len({id(module.projection) for module in modules}) == n_projections
    assert len({id(module.factors) for module in modules}) == len(modules)
    assert len({id(module.bias) for module in modules}) == len(modules)


def test_a_shared_projection_learns_from_all_its_connections() -> None:
    """Its gradient is the sum of theirs."""
    one, other = built("1>1:arc+2>2:arc")
    for module in (one, other):
        nn.init.ones_(module.factors)
    gradients = []
    for modules in ([one], [other], [one, other]):
        added = torch.stack([module(states()).square().sum() for module in modules]).sum()
        (gradient,) = torch.autograd.grad(added, one.projection)
        gradients.append(gradient)

    torch.testing.assert_close(gradients[0] + gradients[1], gradients[2])
