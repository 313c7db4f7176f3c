"""Workbenches of a few examples with their backbone's folder, as the peer needs it."""

from pathlib import Path

import torch

from placement_search.backbones.loading import Backbone
from placement_search.evaluation.workbench import Workbench
from placement_search.tasks.metrics import METRICS
from placement_search.tasks.target import Target
from placement_search.tasks.task import Examples, Task
from tests.tiny_backbones import tiny_bert, tiny_vit
from tests.tiny_task import tiny_task

N_TOKENS = 12


def saved(backbone: Backbone, folder: Path) -> Path:
    """The folder, with the backbone's files in it."""
    backbone.graph.model.save_pretrained(folder)  # type: ignore[operator]
    return folder


def vision_bench() -> Workbench:
    """Three pre-norm blocks on quarters of images."""
    return Workbench(tiny_vit(), tiny_task(), pooling="mean")


def text_bench() -> Workbench:
    """Three post-norm blocks on texts of 3 to 12 tokens, whose class is half their first token."""
    splits = []
    generator = torch.Generator().manual_seed(0)
    for n_examples in (48, 24, 24):
        lengths = torch.randint(3, N_TOKENS + 1, (n_examples, 1), generator=generator)
        mask = torch.arange(N_TOKENS) < lengths
        ids = torch.randint(2, 50, mask.shape, generator=generator)
        labels = torch.arange(n_examples) % 3
        ids[:, 0] = 2 * labels + 5
        splits.append(Examples({"input_ids": ids * mask, "attention_mask": mask.long()}, labels))
    train, validation, test = splits
    task = Task(
        name="first tokens",
        target=Target.SINGLE_LABEL,
        label_names=("a", "b", "c"),
        metric=METRICS["accuracy"],
        train=train,
        validation=validation,
        test=test,
    )
    return Workbench(tiny_bert(), task, pooling="mean")
