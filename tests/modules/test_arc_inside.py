"""ARC where its paper has it: what it reads and adds, and how large it is on paper."""

import re

import pytest
import torch
from torch import Tensor, nn

from placement_search.modules import build_modules, count_parameters, parse_layout
from placement_search.modules.arc_inside import TYPE, ArcInside
from placement_search.places import Linear, Place, Places, SubLayer

WIDTH = 12


def sublayer(width: int, kind: str = "attention") -> SubLayer:
    first = (
        Linear("q", width, width, has_bias=True, is_first=True),
        Linear("v", width, width, has_bias=True, is_first=True),
    )
    return SubLayer(0, kind, (*first, Linear("o", width, width, has_bias=True)), None)


def places(width: int, n: int) -> Places:
    return Places(width, sublayers=(sublayer(width),) * n)


def states() -> Tensor:
    return torch.randn((3, 5, WIDTH), generator=torch.Generator().manual_seed(0))


def made() -> ArcInside:
    module = ArcInside(TYPE.complete({"rank": 3}), Place(WIDTH, sublayer=sublayer(WIDTH)))
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(parameter.numel()))
    return module


def test_all_first_maps_read_the_projection_there_and_back() -> None:
    """``x + (x(W ⊙ λ))Wᵀ + b``, and what maps give is not touched."""
    module, x = made(), states()
    scaled = module.projection * module.factors

    assert module.reads == ("q", "v")
    assert module.paths == ()
    torch.testing.assert_close(
        module.reread("q", x), x + x @ scaled @ module.projection.T + module.bias
    )


def test_folded_maps_give_what_they_gave_of_what_was_reread() -> None:
    """With a bias or without one, for which the shift is asked."""
    module, x = made(), states()
    for bias in (torch.ones(7), None):
        weight = torch.randn((7, WIDTH), generator=torch.Generator().manual_seed(1))
        new_weight, new_bias = module.folded("q", weight, bias)
        wanted = nn.functional.linear(module.reread("q", x), weight, bias)

        torch.testing.assert_close(
            nn.functional.linear(x, new_weight, new_bias), wanted, rtol=1e-4, atol=1e-4
        )


def test_vit_b_has_the_parameters_of_the_paper() -> None:
    """96,432: two projections of 768 x 50, and 50 + 768 before each of 24 sub-layers."""
    notation = "+".join(f"{node}>{node + 1}:arc_inside(group={node % 2})" for node in range(24))

    assert count_parameters(parse_layout(notation), places(768, 24)) == 96_432


@pytest.mark.parametrize(
    ("settings", "n_projections"), [(("", ""), 1), (("", "(group=1)"), 2), (("", "(rank=4)"), 2)]
)
def test_connections_of_equal_settings_share_a_projection(
    settings: tuple[str, str], n_projections: int
) -> None:
    """A group or a rank of its own is another projection; factors and bias are a connection's."""
    first, second = settings
    layout = parse_layout(f"0>1:arc_inside{first}+1>2:arc_inside{second}")
    modules = [m for m in build_modules(layout, places(WIDTH, 2), 0) if isinstance(m, ArcInside)]

    assert len({id(module.projection) for module in modules}) == n_projections
    assert len({id(module.factors) for module in modules}) == 2
    assert len({id(module.bias) for module in modules}) == 2


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (Place(WIDTH), "has to go around one sub-layer"),
        (Place(WIDTH, sublayer=sublayer(WIDTH, "whole")), "one fused block"),
        (Place(WIDTH, sublayer=SubLayer(2, "MLP", (), None)), "no linear map in the MLP .*block 2"),
        (Place(WIDTH, sublayer=sublayer(5)), "12 channels, and q of block 0 reads 5"),
    ],
)
def test_where_it_can_not_be_it_says_why(place: Place, reason: str) -> None:
    """In words that follow the connection's notation."""
    assert re.search(reason, TYPE.misfit(TYPE.complete({}), place))
