"""Options that several commands share, made from the settings that they fill in."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from placement_search.backbones.settings import ModelSettings
from placement_search.tasks.settings import DataSettings

MODEL_HELP: Mapping[str, str] = {
    "model": "Backbone: 'embedded', a local folder, or the id of a model on the Hugging Face hub.",
    "revision": "Branch, tag or commit of a hub model, e.g. main.",
    "device": "Where to run: auto, cpu, cuda, cuda:1 or mps.",
    "dtype": "Of the backbone: float32 or bfloat16; adapters and head are float32.",
    "pooling": "How tokens become one feature: auto (the head probe compares), cls, mean or last.",
    "family": "YAML file that describes an architecture which is not known, see docs/families.md.",
    "allow_pickle": "Read weights from pickle files too, which can run any code.",
    "trust_remote_code": "Run code that comes with the model.",
}
DATA_HELP: Mapping[str, str] = {
    "data": "Labelled data: digits, digits-location, digits-rotation, digits-count, a local file "
    "or folder (Parquet, CSV, JSONL, Arrow, images), or the id of a data set on the hub.",
    "config": "Configuration of a hub data set, e.g. cola of nyu-mll/glue.",
    "text": "Column of the text; guessed if not given, as the other columns are.",
    "text_pair": "Column of a second text, e.g. hypothesis.",
    "image": "Column of the image.",
    "label": "Column of the label.",
    "target": "What labels are: single-label, multi-label or regression; guessed if not given.",
    "metric": "The score, e.g. accuracy, macro_f1, matthews, pearson, spearman or rmse; the usual "
    "one if not given.",
    "max_length": "Most tokens of a text; chosen from the data if not given.",
    "shots": "Training examples of each class, e.g. 16; all if not given.",
    "train_size": "Most training examples, drawn in proportion to the classes.",
    "validation_size": "Most validation examples, drawn in proportion to the classes.",
    "split_seed": "Fixes which examples go where whenever splits are cut or reduced.",
}
BUNDLES: Mapping[type, Mapping[str, str]] = {ModelSettings: MODEL_HELP, DataSettings: DATA_HELP}
AT_LEAST_ONE = frozenset({"max_length", "shots", "train_size", "validation_size"})

Command = Callable[..., None]


def with_bundles(command: Command) -> Command:
    """Give a command an option for every field of the settings that it takes.

    Args:
        command: Whose parameters of the types in `BUNDLES` are replaced by one option per field,
            in their place, and put together again when it is called.
    """
    given = inspect.signature(command, eval_str=True).parameters
    bundles = {
        name: parameter.annotation
        for name, parameter in given.items()
        if parameter.annotation in BUNDLES
    }
    parameters: list[inspect.Parameter] = []
    for name, parameter in given.items():
        own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
        parameters += _options(bundles[name]) if name in bundles else own

    @wraps(command)
    def filled(**arguments: Any) -> None:  # noqa: ANN401 - whatever the options hold
        for name, settings in bundles.items():
            names = [field.name for field in fields(settings)]
            arguments[name] = settings(**{each: arguments.pop(each) for each in names})
        command(**arguments)

    filled.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return filled


def _options(settings: type) -> list[inspect.Parameter]:
    types, texts = get_type_hints(settings), BUNDLES[settings]
    return [_option(field, types[field.name], texts[field.name]) for field in fields(settings)]


def _option(field: Field[Any], type_: object, text: str) -> inspect.Parameter:
    flag = f"--{field.name.replace('_', '-')}"
    least = 1 if field.name in AT_LEAST_ONE else 0 if field.name == "split_seed" else None
    option = typer.Option(flag, help=text, min=least)
    if field.default is MISSING:
        raise TypeError(f"{field.name} needs a default to be an option")
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=field.default,
        annotation=Annotated[type_, option],
    )


def model_of(
    settings: ModelSettings, model: str | None, **said: str | bool | None
) -> ModelSettings:
    """What loads the backbone where it lies now, with what the user said; the rest stays."""
    changes = {name: value for name, value in said.items() if value}
    return replace(settings.moved_to(model), **changes)  # type: ignore[arg-type]


def backbone_of(
    folder: Path,
    model: str | None,
    device: str | None,
    family: str | None,
    allow_pickle: bool,  # noqa: FBT001 - as the option is
    trust_remote_code: bool,  # noqa: FBT001 - as the option is
) -> ModelSettings:
    """What loads the backbone that a layout's folder names, as far as it is not said now."""
    from placement_search.export.load import named_backbone

    return model_of(
        named_backbone(folder),
        model,
        device=device,
        family=family,
        allow_pickle=allow_pickle,
        trust_remote_code=trust_remote_code,
    )
