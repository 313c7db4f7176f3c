"""Backbones of every family with random weights, and the embedded one.

Three blocks of width 16 each. Weights are drawn wider than the families' own, so that states
differ between examples.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import transformers
from _pytest.mark import ParameterSet

from placement_search.backbones.loading import Backbone, as_backbone, load_backbone

SIZE: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "initializer_range": 0.2,
}
IMAGE: dict[str, Any] = {"image_size": 8, "patch_size": 4, "num_channels": 1}
TEXT: dict[str, Any] = {"vocab_size": 50, "max_position_embeddings": 24}
DECODER: dict[str, Any] = TEXT | {"num_key_value_heads": 1}
BEIT: dict[str, Any] = IMAGE | {"use_relative_position_bias": True, "layer_scale_init_value": 0.7}
DEBERTA: dict[str, Any] = TEXT | {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
}
AUDIO: dict[str, Any] = {
    "conv_dim": (8, 8),
    "conv_kernel": (4, 2),
    "conv_stride": (2, 2),
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "feat_extract_norm": "layer",
}
NO_POOLER = {"add_pooling_layer": False}


def tiny(name: str, *, bare: bool = False, **settings: Any) -> Backbone:
    """A model of ``transformers`` with random weights.

    Args:
        name: Its class without ``Model``.
        bare: Whether its pooler is left out.
        settings: Of its configuration, beside `SIZE`.
    """
    torch.manual_seed(0)
    owner = {"T5Encoder": "T5"}.get(name, name)
    config = getattr(transformers, f"{owner}Config")(**(SIZE | settings))
    model = getattr(transformers, f"{name}Model")(config, **(NO_POOLER if bare else {}))
    return as_backbone(model, f"tiny {name}")


def tiny_vit() -> Backbone:
    """Three pre-norm blocks on 8×8 images."""
    return tiny("ViT", bare=True, **IMAGE)


def tiny_bert() -> Backbone:
    """Three post-norm blocks on padded texts."""
    return tiny("Bert", bare=True, **TEXT)


def tiny_t5() -> Backbone:
    """Three pre-norm blocks whose first one makes position biases for all."""
    shape: dict[str, Any] = {"d_model": 16, "d_kv": 8, "num_heads": 2, "d_ff": 32, "num_layers": 3}
    return tiny("T5Encoder", vocab_size=50, initializer_factor=0.5, **shape)


BACKBONES: dict[str, Callable[[], Backbone]] = {
    "vit": tiny_vit,
    "bert": tiny_bert,
    "embedded": load_backbone,
    "deit": partial(tiny, "DeiT", bare=True, **IMAGE),
    "dinov2": partial(tiny, "Dinov2", layerscale_value=0.7, drop_path_rate=0.1, **IMAGE),
    "dinov2 with registers": partial(
        tiny, "Dinov2WithRegisters", layerscale_value=0.7, num_register_tokens=2, **IMAGE
    ),
    "beit": partial(tiny, "Beit", **BEIT),
    "beit, first token": partial(tiny, "Beit", bare=True, **(BEIT | {"use_mean_pooling": False})),
    "clip": partial(tiny, "CLIPVision", **IMAGE),
    "roberta": partial(tiny, "Roberta", bare=True, **TEXT),
    "xlm-roberta": partial(tiny, "XLMRoberta", bare=True, **TEXT),
    "camembert": partial(tiny, "Camembert", bare=True, **TEXT),
    "distilbert": partial(tiny, "DistilBert", hidden_dim=32, **TEXT),
    "electra": partial(tiny, "Electra", embedding_size=8, **TEXT),
    "modernbert": partial(tiny, "ModernBert", local_attention=8, pad_token_id=0, **TEXT),
    "deberta-v2": partial(tiny, "DebertaV2", **DEBERTA),
    "deberta-v2, convolution": partial(tiny, "DebertaV2", conv_kernel_size=3, **DEBERTA),
    "t5": tiny_t5,
    "gpt2": partial(tiny, "GPT2", **TEXT),
    "llama": partial(tiny, "Llama", **DECODER),
    "mistral": partial(tiny, "Mistral", sliding_window=4, **DECODER),
    "qwen2": partial(tiny, "Qwen2", **DECODER),
    "qwen3": partial(tiny, "Qwen3", head_dim=8, **DECODER),
    "gpt_neox": partial(tiny, "GPTNeoX", **TEXT),
    "gpt_neox, in sequence": partial(tiny, "GPTNeoX", use_parallel_residual=False, **TEXT),
    "phi": partial(tiny, "Phi", **DECODER),
    "hubert": partial(tiny, "Hubert", **AUDIO),
    "hubert, stable": partial(tiny, "Hubert", do_stable_layer_norm=True, **AUDIO),
    "wav2vec2": partial(tiny, "Wav2Vec2", **AUDIO),
    "wav2vec2, stable": partial(tiny, "Wav2Vec2", do_stable_layer_norm=True, **AUDIO),
}

CORE = ("embedded", "vit", "bert", "llama")
"""One of each kind of wiring; the fast tests know these, `make test` knows all."""


def each_backbone() -> list[ParameterSet]:
    """Every backbone of the table as a test's parameter, those beyond the core marked slow."""
    unknown = set(CORE) - BACKBONES.keys()
    assert not unknown, unknown
    return [
        pytest.param(name, marks=() if name in CORE else pytest.mark.slow) for name in BACKBONES
    ]


def saved_vit(folder: Path) -> str:
    """The folder of a vision model like the tiny one that reads the embedded digits.

    For searches whose scores do not matter: their trainings take no time.
    """
    images = IMAGE | {"image_size": 16, "patch_size": 8}
    cast("transformers.ViTModel", tiny("ViT", bare=True, **images).graph.model).save_pretrained(
        folder
    )
    return str(folder)
