"""One module at several connections: one set of parameters, one notation, one price."""

import pytest
import torch

from placement_search.adapted.model import AdaptedBackbone
from placement_search.errors import LayoutError
from placement_search.layout import Connection, Layout, ModuleSpec
from placement_search.module_type import ModuleType
from placement_search.modules import (
    MODULE_TYPES,
    bottleneck,
    build_modules,
    count_parameters,
    distinct_state,
    parse_layout,
)
from placement_search.modules.entry import ModuleEntry
from placement_search.modules.tied import tied
from placement_search.places import Place, Places
from tests.tiny_backbones import tiny_vit

TIED = "1>2:bottleneck(rank=2,tied=1)+3>3:bottleneck(rank=2,tied=1)"


def test_equal_modules_of_a_group_are_one_module() -> None:
    """So their parameters can't drift apart, whatever trains or copies them."""
    one, other = build_modules(parse_layout(TIED), Places(16), seed=0)

    assert one is other


@pytest.mark.parametrize("difference", ["rank=2", "rank=2,tied=2", "rank=3,tied=1"])
def test_other_modules_are_modules_of_their_own(difference: str) -> None:
    """Without a group, in another one, or with other settings."""
    layout = parse_layout(f"1>2:bottleneck(rank=2,tied=1)+3>3:bottleneck({difference})")
    one, other = build_modules(layout, Places(16), seed=0)

    shared = {id(p) for p in one.parameters()} & {id(p) for p in other.parameters()}
    assert shared == set()


def test_a_group_costs_what_one_of_it_costs() -> None:
    """By formula, in the model, and in what is stored."""
    single = parse_layout("1>2:bottleneck(rank=2)")
    model = AdaptedBackbone(tiny_vit(), parse_layout(TIED), n_outputs=3)
    stored = [t for name, t in distinct_state(model).items() if not name.startswith("head")]
    n_single = count_parameters(single, Places(16))

    assert count_parameters(parse_layout(TIED), Places(16)) == n_single
    assert sum(p.numel() for p in model.adapters.parameters()) == n_single
    assert sum(t.numel() for t in stored) == n_single


def test_both_places_train_the_same_parameters() -> None:
    """The gradient of a tied module is the sum of those at its places."""
    backbone = tiny_vit()
    models = {
        notation: AdaptedBackbone(backbone, parse_layout(notation), n_outputs=3)
        for notation in (TIED, TIED.replace(",tied=1", ""))
    }
    for model in models.values():
        generator = torch.Generator().manual_seed(0)
        values = [torch.randn(p.shape, generator=generator) for p in model.adapters[0].parameters()]
        for adapter in model.adapters:
            for parameter, value in zip(adapter.parameters(), values, strict=True):
                parameter.data = value.clone()
        torch.nn.init.ones_(model.head.weight)
        model(backbone.made_up_inputs(4, 0)).square().sum().backward()
    tied_model, apart = models.values()

    for name, parameter in tied_model.adapters[0].named_parameters():
        grads = [adapter.get_parameter(name).grad for adapter in apart.adapters]
        assert parameter.grad is not None
        summed = torch.stack([g for g in grads if g is not None]).sum(0)
        torch.testing.assert_close(parameter.grad, summed, rtol=1e-4, atol=1e-4)


def test_the_notation_says_it_only_where_it_is_so() -> None:
    """Layouts without it keep the ids that they had."""
    untied = parse_layout("1>2:bottleneck(rank=2,tied=0)")

    assert parse_layout(TIED).notation == TIED
    assert untied.notation == "1>2:bottleneck(rank=2)"


def test_a_group_is_a_number_from_0() -> None:
    """A negative one names the setting and its range."""
    with pytest.raises(LayoutError, match=r"tied of bottleneck .* at least 0, got -1"):
        parse_layout("1>2:bottleneck(rank=2,tied=-1)")


def test_what_works_inside_a_sub_layer_is_not_tied() -> None:
    """Its shapes are those of the place, which a price by width can't know."""
    inside = ModuleType("inside", {}, count=lambda _settings, _place: 7, is_inside=True)
    wrapped = tied(ModuleEntry(inside, bottleneck.Bottleneck)).type

    assert "can't be tied" in wrapped.misfit({"tied": 1}, Place(16))
    assert wrapped.misfit({"tied": 0}, Place(16)) == ""


def test_all_types_of_the_table_can_be_tied() -> None:
    """The table wraps each of them."""
    assert all("tied" in kind.settings for kind in MODULE_TYPES.values())
    layout = Layout((Connection(0, 1, ModuleSpec("bottleneck", (("rank", 2), ("tied", 1)))),))
    assert parse_layout(layout.notation) == layout
