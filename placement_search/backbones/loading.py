"""Backbones from disk or hub; the front door of this folder.

``checkpoint.py`` finds the files, ``reading.py`` makes the model, ``backbone.py`` freezes it and
says what it is.
"""

import dataclasses
from pathlib import Path

from placement_search.backbones.backbone import Backbone, as_backbone
from placement_search.backbones.checkpoint import EMBEDDED_FOLDER, find_checkpoint
from placement_search.backbones.family_file import read_family
from placement_search.backbones.fingerprint import fingerprint
from placement_search.backbones.formats import input_format_of
from placement_search.backbones.reading import read_model
from placement_search.backbones.settings import ModelSettings

__all__ = ["EMBEDDED_FOLDER", "Backbone", "as_backbone", "fingerprint", "load_backbone"]


def load_backbone(settings: ModelSettings | str = ModelSettings()) -> Backbone:  # noqa: B008
    """Load and freeze a backbone.

    Args:
        settings: Which one, and how it is to run; a string is its name alone.

    Raises:
        BackboneError: If its files are missing or broken, its family is unknown or wrongly
            described, or it can't run as asked.
    """
    if isinstance(settings, str):
        settings = ModelSettings(model=settings)
    described = None if settings.family is None else read_family(Path(settings.family))
    checkpoint = find_checkpoint(settings)
    model, family = read_model(checkpoint, settings, described)
    form = input_format_of(getattr(model, "config", None), family, checkpoint.folder)
    backbone = as_backbone(
        model,
        settings.model,
        family=described,
        input_format=form,
        revision=checkpoint.revision,
    )
    return dataclasses.replace(backbone, folder=checkpoint.folder)
