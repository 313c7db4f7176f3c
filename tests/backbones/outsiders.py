"""Models of architectures that the package does not know."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import OPTConfig, OPTModel


def tiny_opt() -> OPTModel:
    """A decoder of transformers: three pre-norm blocks of width 16."""
    torch.manual_seed(0)
    shape: dict[str, Any] = {"hidden_size": 16, "word_embed_proj_dim": 16, "ffn_dim": 32}
    config = OPTConfig(
        vocab_size=50,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=24,
        init_std=0.2,
        **shape,
    )
    return OPTModel(config).eval()


class Block(nn.Module):
    """A post-norm block whose two sub-layers are linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.feed = nn.Linear(width, width)
        self.last_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``(batch, tokens, width)`` in and out."""
        middle = self.norm(x + self.mix(x.mean(1, keepdim=True)))
        ended: Tensor = self.last_norm(middle + self.feed(middle))
        return ended


class Own(nn.Module):
    """A model without any configuration."""

    def __init__(self, n_blocks: int = 2) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(50, 8)
        self.blocks = nn.ModuleList(Block(8) for _ in range(n_blocks))

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Final states of shape ``(batch, tokens, 8)``; no token is masked."""
        del attention_mask
        state: Tensor = self.embed(input_ids)
        for block in self.blocks:
            state = block(state)
        return state
