"""What a trained layout becomes when copies that only training needs are averaged."""

import pytest
import torch
from torch import nn

from placement_search.adapted.deployed import deployed_layout
from placement_search.adapted.model import AdaptedBackbone
from placement_search.errors import LayoutError
from placement_search.export.check import put_weights, weights_of
from placement_search.modules import parse_layout
from placement_search.modules.tiny_attention import TinyAttention
from tests.tiny_backbones import tiny_bert, tiny_vit

MIXED = (
    "5>1:adamix(rank=3,share_up=false)+2>2:tiny_attention(heads=3,width=2)+1>4:arc(rank=4)"
    "+3>3:adamix(norm=false,rank=2)+0>4:arc(rank=4)+2>3:bottleneck(scale=0.5)"
)


def trained(notation: str) -> AdaptedBackbone:
    """With random weights, in evaluation mode; the experts of an attention are equal."""
    model = AdaptedBackbone(tiny_bert(), parse_layout(notation), n_outputs=3)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    for module in model.modules():
        if isinstance(module, TinyAttention):
            for expert in module.experts:
                expert.load_state_dict(module.experts[0].state_dict())
    return model.eval()


@pytest.mark.parametrize("mode", ["", "|first_pass=adapted"])
def test_a_deployed_layout_gives_the_logits_of_the_trained_one(mode: str) -> None:
    """Bottlenecks in place of AdaMix, one expert in place of equal ones, and the same head."""
    model = trained(MIXED + mode)
    inputs = model.backbone.made_up_inputs(4, seed=0)
    deployed = deployed_layout(model)

    assert deployed.layout == parse_layout(
        "5>1:bottleneck(rank=3)+2>2:tiny_attention(width=2)+1>4:arc(rank=4)+0>4:arc(rank=4)"
        "+3>3:bottleneck(norm=false,rank=2)+2>3:bottleneck(scale=0.5)" + mode
    )
    torch.testing.assert_close(deployed(inputs), model(inputs))


def test_tied_modules_stay_tied_and_apart_from_others() -> None:
    """Three of two trained ones, of which each becomes one, and one that is called alike before."""
    model = trained(
        "0>1:adamix(experts=2,rank=3,tied=1)+2>2:adamix(experts=2,rank=3,tied=1)"
        "+3>3:adamix(experts=3,rank=3,tied=1)+4>4:adamix(experts=3,rank=3,tied=1)"
        "+5>5:bottleneck(rank=3,tied=1)+6>1:bottleneck(rank=3,tied=1)"
    )
    inputs = model.backbone.made_up_inputs(4, seed=0)
    deployed = deployed_layout(model)

    assert deployed.layout == parse_layout(
        "0>1:bottleneck(rank=3,tied=2)+2>2:bottleneck(rank=3,tied=2)"
        "+3>3:bottleneck(rank=3,tied=3)+4>4:bottleneck(rank=3,tied=3)"
        "+5>5:bottleneck(rank=3,tied=1)+6>1:bottleneck(rank=3,tied=1)"
    )
    assert len({id(module) for module in deployed.adapters}) == 3
    torch.testing.assert_close(deployed(inputs), model(inputs))


def test_a_deployed_layout_is_one_of_its_own() -> None:
    """Its weights are copies, what is shared still is, and the trained one stays what it was."""
    model = trained(MIXED)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    deployed = deployed_layout(model)
    with torch.no_grad():
        for parameter in deployed.parameters():
            parameter.zero_()

    assert all(torch.equal(tensor, before[n]) for n, tensor in model.state_dict().items())
    assert sum(name.endswith("projection") for name in weights_of(deployed)) == 1


def test_a_deployed_layout_is_smaller_and_deploys_as_it_is() -> None:
    """Copies are gone, and there is nothing left to average."""
    model = trained(MIXED)
    deployed = deployed_layout(model)
    again = deployed_layout(deployed)
    sizes = [sum(p.numel() for p in each.parameters()) for each in (model, deployed)]

    assert sizes[1] < sizes[0]
    assert again.layout == deployed.layout
    assert all(torch.equal(t, deployed.state_dict()[n]) for n, t in again.state_dict().items())


def test_pooling_goes_along() -> None:
    """A head reads what it was trained on."""
    backbone = tiny_vit()
    for pooling in backbone.poolings:
        model = AdaptedBackbone(backbone, parse_layout("1>1:adamix"), 3, pooling=pooling)

        assert deployed_layout(model).pooling is pooling


def test_weights_of_a_trained_layout_come_back_from_their_file_names() -> None:
    """A layout of every type, its shared projection once."""
    model, again = trained(MIXED), AdaptedBackbone(tiny_bert(), parse_layout(MIXED), 3, seed=5)
    inputs = model.backbone.made_up_inputs(4, seed=0)
    put_weights(again, weights_of(model))

    assert torch.equal(again.eval()(inputs), model(inputs))


def test_two_modules_that_become_one_are_refused() -> None:
    """A layout holds one bottleneck between two nodes."""
    with pytest.raises(LayoutError, match=r"can't be deployed: .* one bottleneck .* 3>3 twice"):
        deployed_layout(trained("3>3:adamix(rank=2)+3>3:bottleneck(rank=2)"))


@pytest.mark.parametrize(
    ("notation", "expected"),
    [
        ("2>3:adamix(gate=true,rank=3)", "2>3:bottleneck(gate=true,rank=3)"),
        (
            "2>3:tiny_attention(gate=true,heads=3,width=2)",
            "2>3:tiny_attention(gate=true,width=2)",
        ),
    ],
)
def test_a_gate_stays(notation: str, expected: str) -> None:
    """With its weights, in front of what the copies become."""
    model = trained(notation)
    inputs = model.backbone.made_up_inputs(4, seed=0)
    deployed = deployed_layout(model)

    assert deployed.layout == parse_layout(expected)
    torch.testing.assert_close(deployed(inputs), model(inputs))


@pytest.mark.parametrize("gate", ["", ",gate=true"])
@pytest.mark.parametrize("module", ["adamix(rank=3", "tiny_attention(heads=3"])
def test_a_masked_module_stays_as_it_is_and_says_why(module: str, gate: str) -> None:
    """The mean of its copies would keep what any of them keeps."""
    model = trained(f"2>3:{module},mask=random,kept=0.5{gate})")
    inputs = model.backbone.made_up_inputs(4, seed=0)
    deployed = deployed_layout(model)
    (connection, kept) = model.wired[0]

    assert deployed.layout == model.layout
    assert torch.equal(deployed(inputs), model(inputs))
    assert kept.undeployed() == "its mask keeps other entries in each copy", connection


@pytest.mark.parametrize("notation", ["arc", "bottleneck(mask=random,kept=0.5)", "adamix"])
def test_what_is_deployed_or_has_no_copies_gives_no_reason(notation: str) -> None:
    """A reason is for copies that are left."""
    assert trained(f"2>3:{notation}").wired[0][1].undeployed() == ""


TIES = (
    "1>1:adamix(rank=2,tied=1)+2>2:adamix(rank=2,tied=1)+3>3:bottleneck(rank=2,tied=1)"
    "+4>4:bottleneck(rank=2,tied=1)+1>2:adamix(experts=2,rank=2,tied=1)"
    "+2>3:adamix(experts=2,rank=2,tied=1)"
)


def test_what_is_tied_stays_tied_and_no_more() -> None:
    """Three groups that would all be one bottleneck's are three afterwards."""
    model = trained(TIES)
    inputs = model.backbone.made_up_inputs(4, seed=0)
    deployed = deployed_layout(model)
    modules = {(c.source, c.target): m for c, m in deployed.wired}
    pairs = [((1, 1), (2, 2)), ((3, 3), (4, 4)), ((1, 2), (2, 3))]

    assert all(modules[one] is modules[other] for one, other in pairs)
    assert len(set(map(id, modules.values()))) == 3
    torch.testing.assert_close(deployed(inputs), model(inputs))
