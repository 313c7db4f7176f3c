"""Layouts of all types that map a state to an addition, on whole backbones."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from placement_search.adapted.batches import batch_of
from placement_search.adapted.frozen import frozen_states
from placement_search.adapted.model import AdaptedBackbone, needed_nodes
from placement_search.backbones.fingerprint import fingerprint
from placement_search.backbones.loading import Backbone, as_backbone
from placement_search.modules import parse_layout
from tests.adapted.test_contract import hooks
from tests.tiny_backbones import BACKBONES, tiny_bert

MIXED = (
    "2>2:bottleneck(rank=2)+1>2:tiny_attention(width=2,heads=2)+2>4:adamix(rank=2)+3>3:arc(rank=4)"
    "+4>4:arc(rank=4)+5>1:tiny_attention+3>1:adamix(rank=3,share_up=false)+6>2:arc(rank=4)"
)
MODES = ("", "|first_pass=adapted")


def texts(backbone: Backbone) -> dict[str, Tensor]:
    """Four texts of different lengths, padded on the right."""
    inputs = backbone.made_up_inputs(4, seed=1)
    lengths = torch.tensor([16, 9, 4, 12])
    return inputs | {"attention_mask": (torch.arange(16) < lengths[:, None]).long()}


def adapted(backbone: Backbone, notation: str, *, is_trained: bool) -> AdaptedBackbone:
    """In evaluation mode, with a random head, and random weights where it is trained."""
    model = AdaptedBackbone(backbone, parse_layout(notation), n_outputs=3)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        if name.startswith("head") or is_trained:
            nn.init.normal_(parameter, std=0.3, generator=generator)
    return model.eval()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("is_training", [True, False])
def test_a_fresh_layout_of_all_types_changes_no_bit(mode: str, is_training: bool) -> None:
    """Whether modules draw their parts or average them."""
    backbone = tiny_bert()
    model = adapted(backbone, MIXED + mode, is_trained=False).train(is_training)
    bare = adapted(backbone, "none", is_trained=False)
    bare.head.load_state_dict(model.head.state_dict())

    assert torch.equal(model(texts(backbone)), bare(texts(backbone)))


@pytest.mark.parametrize("mode", MODES)
def test_training_all_types_leaves_the_backbone_as_it_was(mode: str) -> None:
    """No bit, hook or gradient is left."""
    backbone = tiny_bert()
    inner = backbone.graph.model
    before = fingerprint(inner.state_dict())
    model = adapted(backbone, MIXED + mode, is_trained=True).train()
    model(texts(backbone)).square().sum().backward()

    assert fingerprint(inner.state_dict()) == before
    assert hooks(inner) == 0
    assert all(parameter.grad is None for parameter in inner.parameters())
    assert all(parameter.grad is not None for parameter in model.head.parameters())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("is_training", [True, False])
def test_cached_states_give_the_full_pass_for_all_types(mode: str, is_training: bool) -> None:
    """What modules draw does not depend on where a pass begins either."""
    backbone = tiny_bert()
    inputs = texts(backbone)
    full, cached = (adapted(backbone, MIXED + mode, is_trained=True) for _ in range(2))
    nodes = needed_nodes(full.layout, backbone.graph)
    states = frozen_states(backbone, inputs, 10**9).batch(batch_of(inputs, torch.arange(4)), nodes)
    for model in (full, cached):
        model.train(is_training)

    # A pass from the middle sums its rows in another order.
    torch.testing.assert_close(cached(inputs, states), full(inputs), rtol=1e-4, atol=1e-4)


def test_padding_changes_no_logits() -> None:
    """A text alone and the same text padded, on states that attention mixes."""
    backbone = tiny_bert()
    inputs, model = texts(backbone), adapted(backbone, MIXED, is_trained=True)
    short = {name: tensor[2:3, :4] for name, tensor in inputs.items()}

    torch.testing.assert_close(model(inputs)[2:3], model(short), rtol=1e-4, atol=1e-4)


def test_a_causal_backbone_stays_causal() -> None:
    """On Llama states of early tokens don't change with a later one, tiny attention or not."""
    backbone = BACKBONES["llama"]()
    model = adapted(backbone, "2>2:tiny_attention(width=4)+1>4:tiny_attention", is_trained=True)
    before = backbone.made_up_inputs(2, seed=1)
    ids = before["input_ids"].clone()
    ids[:, 10] = (ids[:, 10] + 7) % 50
    states = [model.hidden_states(each) for each in (before, before | {"input_ids": ids})]

    torch.testing.assert_close(states[0][:, :10], states[1][:, :10])
    assert not torch.allclose(states[0][:, 10:], states[1][:, 10:], atol=1e-3)


def test_states_in_bfloat16_are_widened_for_every_type() -> None:
    """Modules compute in float32, and a fresh layout changes no bit."""
    whole = tiny_bert()
    halved = whole.graph.model.to(torch.bfloat16)
    backbone = as_backbone(halved, "halved", input_format=whole.input_format)
    inputs, model = texts(backbone), adapted(backbone, MIXED, is_trained=False)

    assert torch.equal(model.hidden_states(inputs), backbone.graph.run(inputs))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


PLACES = {
    "s0": ("2>3", "input", "attention"),
    "m0": ("3>3", "attention", "attention"),
    "m1": ("3>4", "attention", "layer"),
    "s1": ("2>4", "input", "layer"),
    "seq": ("2>2", "input", "input"),
}
"""In the second layer: ends of the connection; what the authors' code reads, and adds to."""


@pytest.mark.parametrize("name", PLACES)
def test_places_of_the_authors_are_connections(name: str) -> None:
    """Hooks on the layer's own modules, as the authors' code changes them, give the same states.

    An addition after attention is read by those that come after it, as in their default m0.
    """
    ends, source, target = PLACES[name]
    backbone = tiny_bert()
    inputs = texts(backbone)
    model = adapted(backbone, f"{ends}:tiny_attention(width=2)", is_trained=True)
    mask = inputs["attention_mask"].bool()
    module, layer = model.adapters[0], backbone.graph.model.get_submodule("encoder.layer.1")
    seen: dict[str, Tensor] = {}

    def changed(at: str, state: Tensor) -> Tensor:
        seen[at] = state
        if at == target:
            seen[at] = state + module(seen[source], mask)
        return seen[at]

    def before(_layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (changed("input", args[0]), *args[1:])

    def after(at: str) -> Callable[[nn.Module, object, Any], Any]:
        def hook(_module: nn.Module, _args: object, output: Any) -> Any:
            if isinstance(output, Tensor):
                return changed(at, output)
            return (changed(at, output[0]), *output[1:])

        return hook

    handles = [
        layer.register_forward_pre_hook(before),
        layer.get_submodule("attention").register_forward_hook(after("attention")),
        layer.register_forward_hook(after("layer")),
    ]
    theirs = backbone.graph.run(inputs)
    for handle in handles:
        handle.remove()

    assert not torch.allclose(theirs, backbone.graph.run(inputs), atol=1e-3)
    torch.testing.assert_close(model.hidden_states(inputs), theirs)
