"""Backbones of every family with random weights, and the embedded one."""

from collections.abc import Callable

import torch
from transformers import BertConfig, BertModel, ViTConfig, ViTModel

from placement_search.backbones.loading import Backbone, ImageFormat, as_backbone, load_backbone


def tiny_vit() -> Backbone:
    """Three pre-norm blocks on 8×8 images."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=8,
        patch_size=4,
        num_channels=1,
        initializer_range=0.2,
    )
    model = ViTModel(config, add_pooling_layer=False)
    return as_backbone(model, "tiny vit", ImageFormat(8, 1, (0.5,), (0.5,)))


def tiny_bert() -> Backbone:
    """Three post-norm blocks on padded texts."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=20,
        initializer_range=0.2,
    )
    return as_backbone(BertModel(config, add_pooling_layer=False), "tiny bert")


BACKBONES: dict[str, Callable[[], Backbone]] = {
    "vit": tiny_vit,
    "bert": tiny_bert,
    "embedded": load_backbone,
}
