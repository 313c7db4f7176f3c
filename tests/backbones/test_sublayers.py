import pytest
import torch
from torch import Tensor

from placement_search.backbones.sublayers import Tap
from tests.backbones.shared_keys import N_POSITIONS, tiny_shared_keys
from tests.tiny_backbones import BACKBONES, each_backbone, tiny_bert


@pytest.mark.parametrize("name", each_backbone())
def test_every_sublayer_begins_and_ends_with_a_map_of_the_stream(name: str) -> None:
    """So what lies inside is found by running the model, whatever its parts are called."""
    backbone = BACKBONES[name]()
    sublayers = backbone.places.sublayers

    assert len(sublayers) == backbone.n_nodes - 1
    for sublayer in sublayers:
        assert sublayer.linears[0].n_in == sublayer.linears[-1].n_out == backbone.width


@pytest.mark.parametrize("name", each_backbone())
def test_maps_have_the_sizes_of_their_weights(name: str) -> None:
    """Also where a layer keeps its matrix transposed."""
    backbone = BACKBONES[name]()
    for sublayer in backbone.places.sublayers:
        for linear in sublayer.linears:
            module = backbone.graph.blocks[sublayer.block].get_submodule(linear.path)
            assert sorted(module.get_parameter("weight").shape) == sorted([
                linear.n_in, linear.n_out,
            ])  # fmt: skip
            assert linear.has_bias == (getattr(module, "bias", None) is not None)


@pytest.mark.parametrize("name", each_backbone())
def test_a_tap_changes_what_follows_and_leaves_no_hook(name: str) -> None:
    """On every family the last map of the last sub-layer can be changed while the model runs."""
    backbone = BACKBONES[name]()
    last = len(backbone.places.sublayers) - 1
    tap = Tap(last, backbone.places.sublayers[last].linears[-1].path)
    inputs = backbone.made_up_inputs(3, seed=0)

    def moved(_tap: Tap, _given: Tensor, output: Tensor) -> Tensor:
        return output + torch.arange(output.shape[-1]).to(output)

    with torch.no_grad():
        bare = backbone.graph.run(inputs)
        with backbone.graph.tapped({tap: moved}, {}):
            tapped = backbone.graph.run(inputs)
        again = backbone.graph.run(inputs)

    assert not torch.equal(tapped, bare)
    assert torch.equal(again, bare)


@pytest.mark.parametrize("name", BACKBONES)
def test_what_the_first_maps_read_can_be_changed(name: str) -> None:
    """On every family; the maps to queries, keys and values are all of them."""
    backbone = BACKBONES[name]()
    linears = backbone.places.sublayers[-1].linears
    taps = [Tap(backbone.n_nodes - 2, linear.path) for linear in linears if linear.is_first]
    inputs = backbone.made_up_inputs(3, seed=0)

    def moved(_tap: Tap, given: Tensor) -> Tensor:
        return given + torch.arange(given.shape[-1]).to(given)

    with torch.no_grad():
        bare = backbone.graph.run(inputs)
        with backbone.graph.tapped({}, dict.fromkeys(taps, moved)):
            changed = backbone.graph.run(inputs)
        again = backbone.graph.run(inputs)

    assert 1 <= len(taps) < len(linears)
    assert not torch.equal(changed, bare)
    assert torch.equal(again, bare)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("bert", [{"query", "key", "value"}, {"dense"}]),
        ("llama", [{"q_proj", "k_proj", "v_proj"}, {"gate_proj", "up_proj"}]),
        ("gpt2", [{"c_attn"}, {"c_fc"}]),
        ("deberta-v2", [{"query_proj", "key_proj", "value_proj"}, {"dense"}]),
        ("t5", [{"q", "k", "v"}, {"wi"}]),
    ],
)
def test_first_maps_are_those_that_read_what_flows_in(name: str, first: list[set[str]]) -> None:
    """Not the output maps, nor those that read something else beside."""
    sublayers = BACKBONES[name]().places.sublayers[:2]

    assert [{each.name for each in s.linears if each.is_first} for s in sublayers] == first


def test_maps_that_read_relative_positions_too_are_known() -> None:
    """Those maps that there are where positions have others, and how many positions they read."""
    shared, own = tiny_shared_keys(), BACKBONES["deberta-v2"]()
    counts = {
        (number, each.name): shared.graph.n_common(Tap(number, each.path))
        for number, sublayer in enumerate(shared.places.sublayers)
        for each in sublayer.linears
    }
    reading = {(number, name) for number in (0, 2, 4) for name in ("query_proj", "key_proj")}

    assert shared.places == own.places
    assert counts == {key: N_POSITIONS * (key in reading) for key in counts}
    assert counts.keys() > reading


@pytest.mark.parametrize("name", each_backbone())
def test_other_maps_read_nothing_that_examples_share(name: str) -> None:
    """So all layouts of a pass can run together."""
    backbone = BACKBONES[name]()
    taps = [
        Tap(number, each.path)
        for number, sublayer in enumerate(backbone.places.sublayers)
        for each in sublayer.linears
    ]

    assert not any(map(backbone.graph.n_common, taps))


def test_norms_are_those_that_read_what_the_sublayer_made() -> None:
    """In a post-norm block each sub-layer has one of its own."""
    attention, mlp, *_ = tiny_bert().places.sublayers

    assert (attention.norm, mlp.norm) == ("attention.output.LayerNorm", "output.LayerNorm")


def test_a_place_knows_the_sublayer_that_its_connection_goes_around() -> None:
    """Others reach over several, or none."""
    places = tiny_bert().places

    assert places.at(1, 2).sublayer == places.sublayers[1]
    assert places.at(1, 3).sublayer is None
    assert places.at(2, 2).sublayer is None
