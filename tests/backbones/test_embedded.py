import json
from pathlib import Path

import pytest
import torch
from torch import Generator
from transformers import ViTImageProcessor, ViTModel

import placement_search
from placement_search.tasks.loading import TASKS
from scripts.glyphs import Hand, draw_alphabet, draw_glyphs

EMBEDDED = Path(placement_search.__file__).parent / "backbones" / "embedded"


@pytest.fixture(scope="module")
def backbone() -> ViTModel:
    return ViTModel.from_pretrained(EMBEDDED, add_pooling_layer=False).eval()


def drawn_once(seed: int) -> torch.Tensor:
    generator = Generator().manual_seed(seed)
    alphabet = draw_alphabet(5, generator)
    return draw_glyphs(alphabet, torch.arange(5).repeat(4), generator)


def test_files_are_there_and_small() -> None:
    """The package grows by less than 3 MB."""
    names = {path.name for path in EMBEDDED.iterdir() if path.is_file()}

    assert {"config.json", "model.safetensors", "preprocessor_config.json", "record.json"} <= names
    assert sum(path.stat().st_size for path in EMBEDDED.iterdir()) < 3_000_000


def test_loads_as_an_ordinary_vit_with_every_weight() -> None:
    """Nothing is missing, nothing is left over, nothing has another shape."""
    _, loading = ViTModel.from_pretrained(
        EMBEDDED, add_pooling_layer=False, output_loading_info=True
    )

    assert not any(loading.values())


def test_has_the_promised_size(backbone: ViTModel) -> None:
    """12 blocks of width 64 on 16x16 grey pictures: the 25-node graph of ViT-B/16."""
    config = backbone.config

    assert (config.num_hidden_layers, config.hidden_size) == (12, 64)
    assert (config.image_size, config.patch_size, config.num_channels) == (16, 4, 1)
    assert 400_000 < sum(weights.numel() for weights in backbone.parameters()) < 700_000


def test_states_are_finite_and_differ_between_pictures(backbone: ViTModel) -> None:
    """A forward pass gives one state per patch and one for the whole, none of them constant."""
    with torch.no_grad():
        states = backbone(pixel_values=2 * drawn_once(0) - 1).last_hidden_state

    assert states.shape == (20, 17, 64)
    assert torch.isfinite(states).all()
    assert states[:, 0].std(dim=0).min() > 0


def test_image_processor_maps_brightness_to_minus_one_and_one() -> None:
    """Mean and deviation of 0.5, so black is -1 and white is 1."""
    processor = ViTImageProcessor.from_pretrained(EMBEDDED)

    assert list(processor.image_mean) == [0.5]
    assert list(processor.image_std) == [0.5]
    assert dict(processor.size) == {"height": 16, "width": 16}


def test_record_says_how_the_weights_were_made() -> None:
    """Recipe, accuracies, time and versions; a probe for each embedded task."""
    record = json.loads((EMBEDDED / "record.json").read_text(encoding="utf-8"))

    assert record["recipe"].keys() >= {
        "seed", "n_classes", "n_images", "n_steps", "batch_size", "peak_learning_rate"
    }  # fmt: skip
    assert record.keys() >= {"seconds", "torch_version", "transformers_version"}
    assert 0.5 < record["validation_accuracy"] <= 1
    assert record["train_accuracy"] <= 1
    assert record["probe_validation_accuracy"].keys() == TASKS.keys()


def test_glyphs_are_the_same_for_a_seed() -> None:
    """The seed alone decides classes and pictures."""
    assert torch.equal(drawn_once(0), drawn_once(0))
    assert not torch.equal(drawn_once(0), drawn_once(1))


def test_glyphs_are_pictures_with_ink() -> None:
    """Brightness within 0 and 1, and no glyph drawn off the picture."""
    glyphs = drawn_once(0)

    assert glyphs.shape == (20, 1, 16, 16)
    assert glyphs.min() >= 0
    assert glyphs.max() <= 1
    assert glyphs.amax(dim=(1, 2, 3)).min() > 0.3


def test_drawings_of_a_class_resemble_each_other() -> None:
    """A steady hand's two drawings of one class lie nearer than its drawings of two classes."""
    steady = Hand(wobble=0, half_width=(1, 1), stretch=0, turn=0, shear=0, pen=(1, 1), ink=(1, 1))
    generator = Generator().manual_seed(0)
    alphabet = draw_alphabet(50, generator)
    labels = torch.arange(50)
    first, again = (draw_glyphs(alphabet, labels, generator, steady).flatten(1) for _ in range(2))
    distances = torch.cdist(first, again)

    assert distances.diagonal().mean() < 0.8 * distances.mean()


def test_an_alphabet_needs_a_class() -> None:
    """Nothing can be drawn from none."""
    with pytest.raises(ValueError, match="at least 1 class, got 0"):
        draw_alphabet(0, Generator())
