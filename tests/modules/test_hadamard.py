import pytest
import torch
from torch import nn
from torch.nn import functional

from placement_search.layout import Layout
from placement_search.modules import count_parameters, parse_layout
from placement_search.modules.hadamard import TYPE, Hadamard
from placement_search.places import Linear, Place, Places, SubLayer

OUTPUT = Linear("attention.output.dense", 768, 768, has_bias=True)


def attention(block: int, norm: str | None = "attention.output.LayerNorm") -> SubLayer:
    return SubLayer(block, "attention", (OUTPUT,), norm)


def bert_base() -> Places:
    """As far as this module asks."""
    mlp = Linear("output.dense", 3072, 768, has_bias=True)
    return Places(
        768,
        sublayers=tuple(
            part
            for block in range(12)
            for part in (attention(block), SubLayer(block, "MLP", (mlp,), "output.LayerNorm"))
        ),
    )


def in_blocks(n: int) -> Layout:
    return parse_layout("+".join(f"{2 * block}>{2 * block + 1}:hadamard" for block in range(n)))


def made(**given: bool) -> Hadamard:
    """One with random weights."""
    place = Place(
        4, sublayer=SubLayer(0, "attention", (Linear("out", 4, 4, has_bias=True),), "norm")
    )
    module = Hadamard(TYPE.complete(given), place)
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    return module


@pytest.mark.parametrize(("n_blocks", "n_parameters"), [(12, 36_864), (8, 24_576)])
def test_it_has_as_many_parameters_as_the_papers(n_blocks: int, n_parameters: int) -> None:
    """BERT-base: 0.033 % of 110 million in all layers, 0.022 % in eight of them."""
    assert count_parameters(in_blocks(n_blocks), bert_base()) == n_parameters


def test_both_changes_are_those_of_the_formula() -> None:
    """A factor and a shift per channel, of the output map and of the norm each their own."""
    module, output = made(), torch.randn(2, 3, 4)

    for index, path in enumerate(["out", "norm"]):
        torch.testing.assert_close(
            module.changed(path, output, output),
            output * module.factors[index] + module.shifts[index],
        )


def test_without_its_norm_it_changes_the_output_alone() -> None:
    """And has half the parameters."""
    module = made(norm=False)

    assert module.paths == ("out",)
    assert sum(p.numel() for p in module.parameters()) == 8


def test_other_sublayers_are_refused() -> None:
    """It says which one its connection goes around."""
    reason = TYPE.misfit(TYPE.complete({}), bert_base().at(1, 2))

    assert reason == (
        "scales the output of attention alone, and goes around the MLP sub-layer (block 0)"
    )


def test_fused_blocks_are_refused() -> None:
    """Attention has no output of its own there."""
    whole = SubLayer(2, "whole", (Linear("out", 4, 4, has_bias=True),), "norm")

    assert "goes around one fused block (block 2)" in TYPE.misfit(
        TYPE.complete({}), Place(4, sublayer=whole)
    )


def test_where_no_norm_follows_it_says_the_cure() -> None:
    """The next norm may lie in another block."""
    place = Place(768, sublayer=attention(3, norm=None))

    assert "attention of block 3 in that block; say norm=false" in TYPE.misfit(
        TYPE.complete({}), place
    )
    assert not TYPE.misfit(TYPE.complete({"norm": False}), place)


@pytest.mark.parametrize("has_bias", [True, False])
def test_folded_weights_give_the_same_output(has_bias: bool) -> None:
    """``diag(w) W`` and ``w ⊙ b + shift``, where there was no bias the shift alone."""
    module, given, weight = made(), torch.randn(5, 4), torch.randn(4, 4)
    bias = torch.randn(4) if has_bias else None

    torch.testing.assert_close(
        functional.linear(given, *module.folded("out", weight, bias)),
        module.changed("out", given, functional.linear(given, weight, bias)),
    )


def test_a_folded_norm_gives_the_same_output() -> None:
    """Its weight is scaled, its bias scaled and shifted."""
    module, given, weight, bias = made(), torch.randn(5, 4), torch.randn(4), torch.randn(4)

    torch.testing.assert_close(
        functional.layer_norm(given, (4,), *module.folded("norm", weight, bias)),
        module.changed("norm", given, functional.layer_norm(given, (4,), weight, bias)),
    )
