"""LoRA in every layer, as far as a backbone has queries and values by name."""

import pytest

from placement_search.backbones.loading import Backbone
from placement_search.modules import MODULE_TYPES, check_places, count_parameters
from placement_search.places import Linear, Places, SubLayer
from placement_search.study.lora_baseline import LORA, lora_baseline
from tests.backbones.shared_keys import tiny_shared_keys
from tests.tiny_backbones import BACKBONES, each_backbone, tiny_bert


def ends(backbone: Backbone) -> list[tuple[int, int]]:
    """Of the baseline's connections, which all fit."""
    (baseline,), notes = lora_baseline(backbone.places, MODULE_TYPES)
    check_places(baseline.layout, backbone.places)
    assert baseline.role == LORA
    assert notes == {}
    return [(c.source, c.target) for c in baseline.layout.connections]


@pytest.mark.parametrize("name", each_backbone())
def test_each_block_has_one_around_its_attention(name: str) -> None:
    """On every family, whatever it calls its maps; around a fused block as well."""
    backbone = BACKBONES[name]()
    step = backbone.graph.family.sublayers

    assert ends(backbone) == [(node, node + 1) for node in range(0, backbone.n_nodes - 1, step)]


def test_it_is_the_usual_one() -> None:
    """Rank 8 on queries and values, as in the paper."""
    (baseline,), _ = lora_baseline(tiny_bert().places, MODULE_TYPES)

    assert {c.module.notation for c in baseline.layout.connections} == {
        "lora(linears=query_value,rank=8)"
    }


def test_maps_that_read_relative_positions_too_are_among_them() -> None:
    """Of rank 8 on queries and values of width 16 in three blocks, as PEFT counts them."""
    places = tiny_shared_keys().places
    (baseline,), _ = lora_baseline(places, MODULE_TYPES)

    assert count_parameters(baseline.layout, places) == 3 * 2 * 8 * (16 + 16)


def test_without_such_names_there_is_none_and_a_note() -> None:
    """Nothing is guessed."""
    odd = SubLayer(0, "attention", (Linear("mix", 8, 8, has_bias=True),), None)
    baselines, notes = lora_baseline(Places(8, sublayers=(odd,)), MODULE_TYPES)

    assert baselines == ()
    assert notes[LORA].startswith("left out: no linear map")
