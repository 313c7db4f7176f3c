"""Tasks of images and of texts that tiny backbones can learn, and workbenches on them."""

import torch

from placement_search.backbones.settings import ModelSettings
from placement_search.evaluation.workbench import Workbench
from placement_search.study.search import load_bench
from placement_search.tasks.metrics import METRICS
from placement_search.tasks.settings import DataSettings
from placement_search.tasks.target import Target
from placement_search.tasks.task import Examples, Task
from tests.tiny_backbones import tiny_vit


def tiny_task() -> Task:
    """Which quarter of the image is bright; 48 training, 24 validation and 24 test examples."""
    generator = torch.Generator().manual_seed(0)
    splits = []
    for n_examples in (48, 24, 24):
        labels = torch.arange(n_examples) % 4
        images = 0.6 * torch.rand((n_examples, 1, 8, 8), generator=generator)
        for image, label in zip(images, labels.tolist(), strict=True):
            row, column = divmod(label, 2)
            image[0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 0.4
        splits.append(Examples({"pixel_values": 2 * images - 1}, labels))
    names = ("top left", "top right", "bottom left", "bottom right")
    train, validation, test = splits
    return Task(
        name="quarters",
        target=Target.SINGLE_LABEL,
        label_names=names,
        metric=METRICS["accuracy"],
        train=train,
        validation=validation,
        test=test,
        notes=("four quarters",),
    )


def tiny_bench() -> Workbench:
    """The tiny vision backbone on the tiny task."""
    return Workbench(tiny_vit(), tiny_task())


def tiny_text_task() -> Task:
    """Whether a text's second token has a low number; texts of 3 to 16 tokens, padded."""
    generator = torch.Generator().manual_seed(0)
    splits = []
    for n_examples in (48, 24, 24):
        ids = torch.randint(1, 50, (n_examples, 16), generator=generator)
        lengths = torch.randint(3, 17, (n_examples, 1), generator=generator)
        mask = (torch.arange(16) < lengths).long()
        labels = (ids[:, 1] < 25).long()
        splits.append(Examples({"input_ids": ids * mask, "attention_mask": mask}, labels))
    train, validation, test = splits
    return Task(
        name="tokens",
        target=Target.SINGLE_LABEL,
        label_names=("high", "low"),
        metric=METRICS["accuracy"],
        train=train,
        validation=validation,
        test=test,
    )


def small_embedded_bench() -> Workbench:
    """The embedded backbone on a few of its digits."""
    return load_bench(ModelSettings(), DataSettings("digits", train_size=64, validation_size=32))
