import pytest
import torch
from torch import Tensor

from placement_search.backbones.sublayers import Tap
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
        with backbone.graph.tapped({tap: moved}):
            tapped = backbone.graph.run(inputs)
        again = backbone.graph.run(inputs)

    assert not torch.equal(tapped, bare)
    assert torch.equal(again, bare)


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
