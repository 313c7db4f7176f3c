"""A family that the user describes in a YAML file; loads no torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError

from placement_search.backbones.families import Family, Holds, Pooling, Returns
from placement_search.errors import BackboneError, held, nearest
from placement_search.strict_files import TwiceError, read_yaml


class FamilyFile(BaseModel):
    """What a family file says; its keys are those of `Family`, which says what they mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    blocks: StrictStr = Field(..., min_length=1)
    middle: StrictStr | None
    holds: Holds = Holds.UPDATE
    poolings: tuple[Pooling, ...] = Field((Pooling.MEAN,), min_length=1)
    inputs: Literal["pixel_values", "input_ids", "input_values"]
    returns: Returns = Returns.STATE
    norm: StrictStr | None = None
    entry: StrictStr | None = None
    loads: StrictStr | None = None
    needs_pooler: StrictBool = False
    positions_after_padding: StrictBool = False
    any_size: StrictBool = False
    is_causal: StrictBool = False
    options: dict[StrictStr, StrictBool] = Field(default_factory=dict)


def read_family(path: Path | str) -> Family:
    """The family that a file describes.

    Raises:
        BackboneError: Naming the file and all its mistakes at once, each with key and value.
    """
    try:
        data = read_yaml(Path(path).read_text(encoding="utf-8"))
    except TwiceError as error:
        raise BackboneError(f"{path}: {error}; leave one of them out") from error
    except OSError as error:
        raise BackboneError(f"--family takes a file; {str(path)!r}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BackboneError(f"{path} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise BackboneError(f"{path} {held(data)}; it must hold keys and values")
    try:
        described = FamilyFile.model_validate(data)
    except ValidationError as error:
        lines = [f"  {line}" for line in _explained(error)]
        raise BackboneError("\n".join([f"{path} does not describe a family:", *lines])) from error
    return Family(**{key: getattr(described, key) for key in FamilyFile.model_fields})


def _explained(error: ValidationError) -> Iterator[str]:
    for mistake in error.errors():
        place = ".".join(str(part) for part in mistake["loc"])
        if mistake["type"] == "extra_forbidden":
            yield f"{place}: unknown key{nearest(place, FamilyFile.model_fields)}"
        elif mistake["type"] == "missing":
            yield f"{place}: this key is missing"
        else:
            yield f"{place}: {mistake['msg']}, got {mistake['input']!r}"
