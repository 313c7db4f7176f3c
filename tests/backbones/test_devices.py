"""Devices and precisions by name."""

import pytest
import torch

from placement_search.backbones.devices import device_named, dtype_named, precision_note
from placement_search.backbones.loading import load_backbone
from placement_search.backbones.settings import ModelSettings
from placement_search.errors import BackboneError


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two graphics cards."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a processor alone."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("two_cards")
def test_the_first_card_is_taken_by_itself() -> None:
    """Others by their number."""
    assert device_named("auto") == device_named("cuda") == torch.device("cuda:0")
    assert device_named("cuda:1") == torch.device("cuda:1")
    assert device_named("cpu") == torch.device("cpu")


@pytest.mark.usefixtures("no_card")
def test_without_a_card_the_processor_is_taken() -> None:
    """Quietly, as nothing else was asked for."""
    assert device_named("auto") == torch.device("cpu")


@pytest.mark.usefixtures("no_card")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "tpu", "", "cpu:7"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    """The error names those that are; nothing falls back."""
    with pytest.raises(BackboneError, match=f"no device '{name}'; this machine has cpu"):
        load_backbone(ModelSettings(device=name))


def test_an_unknown_dtype_is_refused() -> None:
    """The error names those that are known."""
    with pytest.raises(BackboneError, match=r"unknown dtype 'float16'.*; known: float32, bfloat16"):
        load_backbone(ModelSettings(dtype="float16"))
    assert dtype_named("bfloat16") is torch.bfloat16


@pytest.mark.parametrize(
    ("device", "dtype", "capability", "is_told"),
    [
        ("cpu", "bfloat16", "AVX2", True),
        ("cpu", "bfloat16", "AVX512", False),
        ("cpu", "float32", "AVX2", False),
        ("cuda:0", "bfloat16", "AVX2", False),
    ],
)
def test_a_precision_that_is_slow_here_is_told(
    monkeypatch: pytest.MonkeyPatch, device: str, dtype: str, capability: str, *, is_told: bool
) -> None:
    """Before minutes become hours, with the cure."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)

    assert ("--dtype float32" in precision_note(torch.device(device), dtype)) is is_told
