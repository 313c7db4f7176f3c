"""Layouts on one backbone that several threads call, as servers do."""

import copy
import time
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from placement_search.adapted.model import AdaptedBackbone
from placement_search.adapted.states import bare_states
from placement_search.modules import parse_layout
from tests.tiny_backbones import tiny_vit

LAYOUTS = ("1>1:bottleneck(rank=2)", "0>3:bottleneck(rank=4)", "3>1:bottleneck(rank=2)")


def test_threads_on_one_backbone_take_turns() -> None:
    """Each gets what it gets alone, from its own layout and from another one's."""
    backbone = tiny_vit()
    models = [AdaptedBackbone(backbone, parse_layout(text), 2) for text in LAYOUTS]
    for parameter in (p for model in models for p in model.adapters.parameters()):
        nn.init.normal_(parameter, std=0.3)
    inputs = {"pixel_values": torch.randn(2, 1, 8, 8)}

    def given(model: AdaptedBackbone) -> Tensor:
        with torch.no_grad():
            found: Tensor = model.eval()(inputs)
        return found

    alone = [given(model) for model in models]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(given, models * 20))

    assert all(torch.equal(found, alone[i % len(models)]) for i, found in enumerate(together))


def test_nobody_sees_another_threads_layout_in_the_bare_states() -> None:
    """As a search or a proxy map would, beside a thread that serves a layout."""
    backbone = tiny_vit()
    model = AdaptedBackbone(backbone, parse_layout(LAYOUTS[0]), 2).eval()
    for parameter in model.adapters.parameters():
        nn.init.normal_(parameter, std=0.3)
    inputs = {"pixel_values": torch.randn(2, 1, 8, 8)}
    (alone,) = bare_states(backbone, inputs, [4]).values()

    def seen(turn: int) -> Tensor | None:
        if turn % 2:
            return bare_states(backbone, inputs, [4])[4]
        with torch.no_grad():
            model(inputs)
        return None

    with ThreadPoolExecutor(4) as pool:
        together = [state for state in pool.map(seen, range(60)) if state is not None]

    assert all(torch.equal(state, alone) for state in together)


def test_a_copy_has_a_turn_of_its_own() -> None:
    """A model can be copied whole, with the lock that its backbone has."""
    model = AdaptedBackbone(tiny_vit(), parse_layout(LAYOUTS[0]), 2)
    inputs = {"pixel_values": torch.randn(2, 1, 8, 8)}
    other = copy.deepcopy(model)

    assert torch.equal(other(inputs), model(inputs))
    assert other.backbone.graph.in_use is not model.backbone.graph.in_use


def test_nobody_runs_in_the_trace_of_another_thread() -> None:
    """A backbone shows its maps once, to hooks that would count another thread's run as well."""
    backbone = tiny_vit()
    graph = backbone.graph
    within = [module for block in graph.blocks for module in block.modules()]
    before = [len(module._forward_hooks) for module in within]
    with ThreadPoolExecutor(1) as pool:
        with graph.in_use:
            asked = pool.submit(graph.sublayers, lambda: backbone.made_up_inputs(2, 0))
            while not asked.running():
                time.sleep(0.01)
            time.sleep(0.05)
            hung = [len(module._forward_hooks) for module in within]
        found = asked.result()

    assert hung == before
    assert all(sublayer.linears for sublayer in found)
