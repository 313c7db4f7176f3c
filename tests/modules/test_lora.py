import math

import pytest
import torch
from torch import nn

from placement_search.modules import check_places, parse_layout
from placement_search.modules.lora import TYPE, Lora
from placement_search.places import Linear, Place, SubLayer
from tests.tiny_backbones import BACKBONES

ATTENTION = SubLayer(
    2,
    "attention",
    (
        Linear("attn.q_proj", 12, 12, has_bias=True),
        Linear("attn.k_proj", 12, 6, has_bias=True),
        Linear("attn.v_proj", 12, 6, has_bias=True),
        Linear("attn.o_proj", 12, 12, has_bias=False),
    ),
    "norm",
)
MLP = SubLayer(
    2,
    "MLP",
    (Linear("mlp.up", 12, 48, has_bias=True), Linear("mlp.down", 48, 12, has_bias=True)),
    None,
)


def around(sublayer: SubLayer) -> Place:
    return Place(12, 4, 5, sublayer=sublayer)


def made(sublayer: SubLayer = ATTENTION, **given: float | str) -> Lora:
    """One with random weights in every parameter."""
    module = Lora(TYPE.complete({"rank": 3, **given}), around(sublayer))
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(parameter.numel()))
    return module


@pytest.mark.parametrize(
    ("linears", "names"),
    [
        ("all", ["q_proj", "k_proj", "v_proj", "o_proj"]),
        ("inputs", ["q_proj", "k_proj", "v_proj"]),
        ("output", ["o_proj"]),
        ("query_value", ["q_proj", "v_proj"]),
    ],
)
def test_it_changes_the_maps_that_it_names(linears: str, names: list[str]) -> None:
    """In the order in which they run."""
    assert made(linears=linears).paths == tuple(f"attn.{name}" for name in names)


@pytest.mark.parametrize("name", ["c_attn", "Wqkv", "query_key_value"])
def test_a_fused_map_counts_as_that_to_queries_and_values(name: str) -> None:
    """It is changed as a whole, keys as well."""
    fused = SubLayer(
        0, "attention", (Linear(f"a.{name}", 12, 36, has_bias=True), *MLP.linears), None
    )

    assert made(fused, linears="query_value").paths == (f"a.{name}",)


def test_the_update_is_that_of_the_formula() -> None:
    """``W x + (alpha / rank) · B A x``, of each map with its own ``A`` and ``B``."""
    module = made(alpha=6.0)
    given, output = torch.randn(2, 5, 12), torch.randn(2, 5, 6)
    down, up, _ = module.low_rank("attn.k_proj")

    torch.testing.assert_close(
        module.changed("attn.k_proj", given, output), output + 2 * (given @ down.T @ up.T)
    )


def test_initial_values_are_those_of_peft() -> None:
    """``A`` uniform within ``1 / sqrt(n_in)``, which is Kaiming's bound at ``a = sqrt(5)``."""
    down, up, _ = Lora(TYPE.complete({"rank": 64}), around(MLP)).low_rank("mlp.down")
    bound = 1 / math.sqrt(48)

    assert 0.95 * bound < down.abs().max() <= bound
    assert not up.any()


@pytest.mark.parametrize(
    ("sublayer", "given", "n_parameters"),
    [
        (ATTENTION, {"rank": 2}, 2 * (24 + 18 + 18 + 24)),
        (ATTENTION, {"rank": 2, "linears": "query_value"}, 2 * (24 + 18)),
        (ATTENTION, {"rank": 1, "linears": "output"}, 24),
        (MLP, {"rank": 8}, 8 * (60 + 60)),
        (MLP, {"rank": 8, "linears": "inputs"}, 8 * 60),
    ],
)
def test_parameters_are_counted_by_sizes(
    sublayer: SubLayer, given: dict[str, int | str], n_parameters: int
) -> None:
    """For each map rank · (n_in + n_out), without biases."""
    assert TYPE.count(TYPE.complete(given), around(sublayer)) == n_parameters


def test_a_sublayer_without_such_maps_is_refused() -> None:
    """With the names of those that it has."""
    reason = TYPE.misfit(TYPE.complete({"linears": "query_value"}), around(MLP))

    assert "linears=query_value in the MLP sub-layer of block 2, whose maps are: up, down" in reason


@pytest.mark.parametrize("linears", ["all", "inputs", "output", "query_value"])
@pytest.mark.parametrize("name", ["phi", "gpt_neox"])
def test_it_fits_fused_blocks(name: str, linears: str) -> None:
    """Their maps lie in one sub-layer."""
    check_places(parse_layout(f"0>1:lora(linears={linears})"), BACKBONES[name]().places)


def test_folded_weights_give_the_same_output() -> None:
    """``W + (alpha / rank) · B A``, and the bias as it was."""
    module = made()
    weight, bias, given = torch.randn(6, 12), torch.randn(6), torch.randn(4, 12)
    folded, same = module.folded("attn.v_proj", weight, bias)

    assert same is bias
    torch.testing.assert_close(
        given @ folded.T + bias, module.changed("attn.v_proj", given, given @ weight.T + bias)
    )
