"""A fresh model from its folder, an adapter in it, and a linear head on it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peft
import torch
from torch import Tensor, nn
from transformers import MODEL_MAPPING, AutoConfig, AutoModel

from benchmarks.peer_loop.streams import HookedBackbone, stream_of
from placement_search.layout import Layout
from placement_search.modules import build_modules
from placement_search.places import Places

Loss = Callable[[Tensor, Tensor], Tensor]
Attach = Callable[[nn.Module, Layout, int], nn.Module]
"""Puts what a layout asks for into a frozen base model, from a seed.

What it gives takes the model's own inputs and gives final hidden states.
"""


def load_frozen(folder: Path, device: torch.device) -> nn.Module:
    """A base model with frozen weights, without dropout, and without the pooler that it can spare.

    Args:
        folder: Holds ``config.json`` and ``model.safetensors``.
        device: Where it is put.
    """
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    takes = inspect.signature(MODEL_MAPPING[type(config)]).parameters
    without = {"add_pooling_layer": False} if "add_pooling_layer" in takes else {}
    model: nn.Module = AutoModel.from_pretrained(
        folder, config=config, local_files_only=True, dtype=torch.float32, **without
    )
    return model.to(device).eval().requires_grad_(requires_grad=False)


class LastHidden(nn.Module):
    """The final hidden states of a model that has an adapter in its own modules."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, **inputs: Tensor) -> Tensor:
        """Shape ``(batch, tokens, width)``."""
        hidden: Tensor = self.model(**inputs).last_hidden_state
        return hidden


def attach_hooks(model: nn.Module, layout: Layout, seed: int) -> HookedBackbone:
    """The layout's own modules by forward hooks, with the initial values of this seed."""
    config: Any = model.config
    return HookedBackbone(model, layout, build_modules(layout, Places(config.hidden_size), seed))


def attach_lora(model: nn.Module, layout: Layout, seed: int) -> LastHidden:
    """LoRA of the layout's rank at query and value of every block that the layout adds to."""
    stream = stream_of(model)
    blocks = sorted({max(c.target - 1, 0) // 2 for c in layout.connections})
    rank = max(int(c.module.settings["rank"]) for c in layout.connections)
    paths = [f"{stream.blocks}.{block}.{name}" for block in blocks for name in stream.projections]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=paths)
        return LastHidden(peft.inject_adapter_in_model(config, model))


@dataclass(frozen=True, slots=True, eq=False)
class HeadStart:
    """How a head reads the final states, and from which weights it starts.

    Args:
        pooling: ``cls`` or ``mean``.
        weight: Shape ``(n_outputs, width)``.
        bias: Shape ``(n_outputs,)``.
    """

    pooling: str
    weight: Tensor
    bias: Tensor


class Classifier(nn.Module):
    """A frozen backbone with an adapter, and a linear head on its pooled final states.

    Args:
        body: Gives final hidden states; see `Attach`.
        start: Pooling and first weights of the head.
        loss: Of logits and labels.
    """

    accepts_loss_kwargs = False
    """Else `Trainer` counts the items of every batch and passes the number on."""

    def __init__(self, body: nn.Module, start: HeadStart, loss: Loss) -> None:
        super().__init__()
        self.body = body
        self.head = nn.utils.skip_init(nn.Linear, *reversed(start.weight.shape))
        self.head.load_state_dict({"weight": start.weight, "bias": start.bias})
        self._pooling = start.pooling
        self._loss = loss

    def forward(self, labels: Tensor | None = None, **inputs: Tensor) -> dict[str, Tensor]:
        """Logits of shape ``(batch, n_outputs)``, and their loss where labels are given."""
        hidden = self.body(**inputs)
        logits = self.head(_pooled(hidden, inputs.get("attention_mask"), self._pooling))
        if labels is None:
            return {"logits": logits}
        return {"loss": self._loss(logits, labels), "logits": logits}

    def train(self, mode: bool = True) -> "Classifier":  # noqa: FBT001, FBT002 - as in torch
        """Nothing here depends on the mode: dropout of a frozen backbone stays off."""
        self.training = mode
        return self


def _pooled(hidden: Tensor, mask: Tensor | None, pooling: str) -> Tensor:
    """Shape ``(batch, width)``.

    Raises:
        ValueError: If the pooling is neither ``cls`` nor ``mean``.
    """
    if pooling == "cls":
        return hidden[:, 0]
    if pooling != "mean":
        raise ValueError(f"pooling must be cls or mean, got {pooling!r}")
    if mask is None:
        return hidden.mean(1)
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)
