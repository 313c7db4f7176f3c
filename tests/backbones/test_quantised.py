"""Backbones in 4 or 8 bits, by stand-ins for the layers of bitsandbytes."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from placement_search.backbones.fingerprint import fingerprint
from placement_search.backbones.loading import load_backbone
from placement_search.backbones.quantised import (
    check_quantisation,
    is_quantised,
    keep_gradients,
    n_parameters,
)
from placement_search.errors import BackboneError


class Packed(nn.Linear):
    """A 4-bit layer as bitsandbytes has it: two numbers to a byte, a state beside the weight."""

    def __init__(self, *, is_repacked: bool = False) -> None:
        super().__init__(8, 6, bias=False)
        data = torch.zeros(24, 1, dtype=torch.uint8)
        self.weight = nn.Parameter(data, requires_grad=False)
        state = SimpleNamespace(shape=(6, 8), packing_format_for_cpu=is_repacked)
        vars(self.weight)["quant_state"] = state
        self.support_avx512bf16_for_cpu = True


def test_four_bit_weights_count_as_the_numbers_they_stand_for() -> None:
    """Not as the bytes that hold them."""
    assert n_parameters(nn.Sequential(Packed(), nn.Linear(6, 2))) == 48 + 14


def test_layers_keep_to_the_path_that_gradients_pass() -> None:
    """The fast one on processors drops them without an error."""
    layer = Packed()

    keep_gradients(nn.Sequential(layer))

    assert not layer.support_avx512bf16_for_cpu


def test_repacked_layers_are_refused() -> None:
    """No gradient passes them any more; the error names the layer and the cure."""
    with pytest.raises(BackboneError, match=r"repacked 1 for inference.*load the model anew"):
        keep_gradients(nn.Sequential(nn.Linear(1, 1), Packed(is_repacked=True)))


def test_what_lies_beside_tensors_counts_as_text() -> None:
    """8-bit layers keep a word on their format in the state dictionary."""
    weight = torch.ones(2)
    prints = {fingerprint({"w": weight, "format": word}) for word in ("row", "col")}

    assert len(prints) == 2


def test_other_quantisations_are_refused() -> None:
    """The error names the method."""
    with pytest.raises(BackboneError, match=r"'gptq'.*bitsandbytes"):
        check_quantisation({"quantization_config": {"quant_method": "gptq"}}, "x")


def test_ordinary_models_are_not_quantised() -> None:
    """Whatever is installed."""
    assert not check_quantisation({"hidden_size": 8}, "x")


@pytest.mark.slow
def test_backbones_know_whether_they_are_quantised() -> None:
    """By their weights or by what their configuration records."""
    said = nn.Linear(6, 2)
    vars(said)["config"] = SimpleNamespace(quantization_config={"quant_method": "gptq"})

    assert is_quantised(nn.Sequential(Packed(), nn.Linear(6, 2)))
    assert is_quantised(said)
    assert not load_backbone().is_quantised
