"""Where modules inside sub-layers are tried: layouts by family, and what the fast tier takes."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from _pytest.mark import ParameterSet

from placement_search.backbones.loading import Backbone
from placement_search.errors import LayoutError
from placement_search.layout import make_module
from placement_search.module_type import Scalar
from placement_search.modules import MODULE_TYPES, MODULES, check_places, parse_layout
from placement_search.places import Linear, Place, SubLayer
from tests.backbones.shared_keys import NAME, tiny_shared_keys
from tests.modules.test_contract import variants
from tests.tiny_backbones import BACKBONES

TRIED: dict[str, Callable[[], Backbone]] = {**BACKBONES, NAME: tiny_shared_keys}
"""The table and one more, some of whose maps read what all examples share."""
TYPES = [entry.type for entry in MODULES.values() if entry.type.is_inside]
SPECS = sorted({spec for module_type in TYPES for spec in variants(module_type)})
LINEAR = Linear("out", 16, 16, has_bias=True, is_first=True)
ATTENTION, MLP, WHOLE = (
    Place(16, sublayer=SubLayer(0, kind, (LINEAR,), "norm"))
    for kind in ("attention", "MLP", "whole")
)
GATED: dict[str, Scalar] = {"gate": True}
MASKED: dict[str, Scalar] = {"mask": "random", "kept": 0.5}
WITH_OPTIONS = [
    make_module(MODULE_TYPES, module_type.name, given, "a test")
    for module_type in TYPES
    for given in (GATED, MASKED, GATED | MASKED)
    if not all(module_type.misfit(module_type.complete(given), at) for at in (ATTENTION, MLP))
]
"""Each type behind a gate, in a mask, and in both, where it has what a mask could thin out."""
DEFAULTS = {variants(module_type)[0].notation for module_type in TYPES}
ON_FUSED = {
    variants(module_type)[0].notation
    for module_type in TYPES
    if not module_type.misfit(module_type.complete({}), WHOLE)
}
"""What is tried on fused blocks."""
MIXED = (
    "2>3:lora(rank=2)+3>4:lora(rank=2,linears=output)+2>3:hadamard+3>4:adapter_bias+"
    "2>3:bottleneck(rank=2)+1>4:bottleneck(rank=2)+4>4:bottleneck(rank=2)+"
    "2>3:arc_inside(rank=2)+3>4:arc_inside(rank=2)"
)
TOGETHER = {
    "mixed": MIXED,
    "recurrent": f"{MIXED}+5>2:bottleneck(rank=2)",
    "adapted": f"{MIXED}+5>3:bottleneck(rank=2)+0>1:hadamard|first_pass=adapted",
    "last MLP": "5>6:adapter_bias+6>5:bottleneck(rank=2)",
}
# The same on fused blocks, whose tiny backbones have 4 nodes and where only `lora` fits.
FUSED_MIXED = "1>2:lora(rank=2)+0>2:bottleneck(rank=2)+2>2:bottleneck(rank=2)"
FUSED_TOGETHER = {
    "mixed": FUSED_MIXED,
    "recurrent": f"{FUSED_MIXED}+3>1:bottleneck(rank=2)",
    "adapted": f"{FUSED_MIXED}+3>1:bottleneck(rank=2)|first_pass=adapted",
}
FUSED = {"gpt_neox", "phi"}
IN_FULL = "bert"
"""The backbone on which every setting is tried; the others see defaults and mixtures."""
QUICK = {
    IN_FULL: {*DEFAULTS, *TOGETHER},
    "llama": {"mixed"},
    NAME: {"mixed"},
    "vit": {*TOGETHER, "hadamard"},
}
"""What the fast tier tries."""
TWINS = {
    "deit", "dinov2 with registers", "xlm-roberta", "camembert", "electra", "mistral", "qwen2",
    "qwen3", "hubert", "hubert, stable", "beit, first token",
}  # fmt: skip
"""Families whose blocks are those of another but for their names: one layout each."""


def cases() -> Iterator[ParameterSet]:
    """Every backbone with mixtures, and with each module around all sub-layers that it fits."""
    for name in TRIED:
        modules = [spec.notation for spec in (*SPECS, *WITH_OPTIONS)]
        for what in dict.fromkeys([*modules, *TOGETHER, *FUSED_TOGETHER]):
            if is_tried(name, what):
                is_quick = what in QUICK.get(name, ())
                marks = () if is_quick else (pytest.mark.slow,)
                yield pytest.param((name, what), marks=marks, id=f"{name}-{what}")


def is_tried(name: str, what: str) -> bool:
    if name in FUSED:
        return what in FUSED_TOGETHER or what in ON_FUSED
    if name in TWINS:
        return what == "mixed"
    return name == IN_FULL or what in DEFAULTS or what in TOGETHER


@cache
def made(name: str) -> Backbone:
    """A backbone of `TRIED`, made once."""
    return TRIED[name]()


def around_all(backbone: Backbone, notation: str) -> str:
    """A module around each sub-layer that it fits."""
    parts = [f"{node}>{node + 1}:{notation}" for node in range(backbone.n_nodes - 1)]
    return "+".join(part for part in parts if fits(backbone, part))


def fits(backbone: Backbone, notation: str) -> bool:
    try:
        check_places(parse_layout(notation), backbone.places)
    except LayoutError:
        return False
    return True
