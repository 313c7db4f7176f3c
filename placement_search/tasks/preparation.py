"""From data as it was read to examples as one backbone takes them."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from placement_search.errors import TaskError
from placement_search.input_format import ImageFormat, InputFormat, TextFormat
from placement_search.tasks.checks import spread
from placement_search.tasks.pixels import image_inputs, processor
from placement_search.tasks.raw import RawSplit, RawTask
from placement_search.tasks.settings import DataSettings
from placement_search.tasks.target import Target
from placement_search.tasks.task import Examples, Task
from placement_search.tasks.text_inputs import text_inputs

Inputs = Mapping[str, Mapping[str, Tensor]]
"""What the backbone's forward takes, by split and argument name."""


def prepare(raw: RawTask, form: InputFormat, settings: DataSettings) -> Task:
    """The task as one backbone takes it.

    Args:
        raw: What was read.
        form: What the backbone takes.
        settings: Of them, how texts are cut.

    Raises:
        TaskError: If the backbone takes something else than the data holds, or its tokenizer or
            image processor can't be loaded or doesn't fit it.
    """
    inputs, notes = _inputs(raw, form, settings)
    scale = _scale(raw)
    train, validation, test = (
        Examples(inputs[name], _labels(split, raw.target, scale))
        for name, split in raw.splits.items()
    )
    return Task(
        name=raw.name,
        target=raw.target,
        label_names=raw.label_names,
        metric=raw.metric,
        train=train,
        validation=validation,
        test=test,
        scale=scale,
        notes=(*raw.notes, *notes),
    )


def _inputs(
    raw: RawTask, form: InputFormat, settings: DataSettings
) -> tuple[Inputs, tuple[str, ...]]:
    """The inputs of every split, and what to tell about them."""
    if isinstance(form, TextFormat) and raw.kind == "text":
        return text_inputs(raw, form, settings.max_length)
    if isinstance(form, ImageFormat) and raw.kind == "image":
        return _image_inputs(raw, form, settings)
    raise TaskError(
        f"the backbone takes {_taken(form)}, but data set {raw.name!r} holds {raw.kind}s; "
        "choose a --model or --data of the same kind"
    )


def _taken(form: InputFormat) -> str:
    if isinstance(form, TextFormat):
        return "texts"
    if isinstance(form, ImageFormat):
        return f"images of {form.width}x{form.height} pixels"
    return "sound, which --data can't hold yet"


def _image_inputs(
    raw: RawTask, form: ImageFormat, settings: DataSettings
) -> tuple[Inputs, tuple[str, ...]]:
    if settings.max_length is not None:
        raise TaskError(f"--max-length is for texts, but data set {raw.name!r} holds images")
    process = processor(form)
    return {
        name: image_inputs(split.content, form, process) for name, split in raw.splits.items()
    }, ()


def _labels(split: RawSplit, target: Target, scale: tuple[float, float]) -> Tensor:
    if target is Target.REGRESSION:
        mean, std = scale
        return torch.from_numpy(((split.targets - mean) / std).astype(np.float32))
    kind = np.int64 if target is Target.SINGLE_LABEL else np.float32
    return torch.from_numpy(split.targets.astype(kind))


def _scale(raw: RawTask) -> tuple[float, float]:
    """Mean and deviation of the training split's numbers.

    Raises:
        TaskError: If they are all the same.
    """
    if raw.target is not Target.REGRESSION:
        return 0.0, 1.0
    mean, deviation = spread(raw.train.targets)
    if deviation == 0:
        raise TaskError(f"a regression target must vary in training, got {mean:g} in every row")
    return mean, deviation
