import pytest
import torch
from torch import nn

from placement_search.modules import count_parameters, parse_layout
from placement_search.modules.adapter_bias import TYPE, AdapterBias
from placement_search.places import Linear, Place, Places, SubLayer


def mlp(width: int, inner: int, block: int = 0) -> SubLayer:
    up = Linear("intermediate.dense", width, inner, has_bias=True)
    return SubLayer(block, "MLP", (up, Linear("output.dense", inner, width, has_bias=True)), None)


@pytest.mark.parametrize(
    ("n_blocks", "width", "n_parameters"), [(12, 768, 46_092), (24, 1024, 122_904)]
)
def test_it_has_as_many_parameters_as_the_papers(
    n_blocks: int, width: int, n_parameters: int
) -> None:
    """BERT-base and BERT-large, one around each MLP."""
    sublayers = [
        part
        for block in range(n_blocks)
        for part in (SubLayer(block, "attention", (), None), mlp(width, 4 * width, block))
    ]
    layout = parse_layout(
        "+".join(f"{2 * block + 1}>{2 * block + 2}:adapter_bias" for block in range(n_blocks))
    )

    assert count_parameters(layout, Places(width, sublayers=tuple(sublayers))) == n_parameters


def test_each_token_is_shifted_by_its_own_amount() -> None:
    """``a(x) · v``, where ``x`` is what the last map reads."""
    module = AdapterBias(TYPE.complete({}), Place(4, sublayer=mlp(4, 16)))
    nn.init.normal_(module.direction)
    given, output = torch.randn(2, 3, 16), torch.randn(2, 3, 4)
    amounts = given @ module.amount.weight[0] + module.amount.bias

    assert module.paths == ("output.dense",)
    torch.testing.assert_close(
        module.changed("output.dense", given, output),
        output + torch.einsum("bt,c->btc", amounts, module.direction),
    )


def test_other_sublayers_are_refused() -> None:
    """It says which one its connection goes around."""
    attention = SubLayer(3, "attention", (Linear("o", 4, 4, has_bias=True),), None)
    reason = TYPE.misfit({}, Place(4, sublayer=attention))

    assert reason == (
        "shifts the output of an MLP alone, and goes around the attention sub-layer (block 3)"
    )


def test_fused_blocks_are_refused() -> None:
    """The MLP has no output of its own there."""
    whole = SubLayer(2, "whole", (Linear("out", 4, 4, has_bias=True),), "norm")

    assert "goes around one fused block (block 2)" in TYPE.misfit({}, Place(4, sublayer=whole))


def test_no_weights_give_what_it_adds() -> None:
    """The amount depends on the token a second time."""
    module = AdapterBias({}, Place(4, sublayer=mlp(4, 16)))

    assert module.folded("output.dense", torch.randn(4, 16), torch.randn(4)) is None
