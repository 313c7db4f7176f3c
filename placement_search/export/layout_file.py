"""``layout.json``: what it holds, and the checks that reading it makes."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from placement_search.backbones.families import Pooling
from placement_search.errors import EvaluationError, ExportError, LayoutError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.layout import Connection, FirstPass, Kind, Layout, make_module
from placement_search.modules import MODULE_TYPES
from placement_search.tasks.target import Target

SCHEMA_VERSION: Literal[2] = 2
LAYOUT_NAME, WEIGHTS_NAME = "layout.json", "layout.safetensors"

Finite = Annotated[float, Field(allow_inf_nan=False)]
Setting = bool | int | Finite | str


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BackboneEntry(_Strict):
    """The backbone that the layout was trained on."""

    id: str = Field(description="'embedded', a folder, or the id of a model on the hub.")
    revision: str | None = Field(description="Commit on the hub; null for a folder.")
    architecture: str
    model_type: str
    n_blocks: int
    width: int
    n_parameters: int
    fingerprint: str = Field(
        description="SHA-256 over weights, configuration and input format, 16 hexadecimal digits."
    )
    dtype: Literal["float32", "bfloat16", "float16", "float64"] = Field(
        description="Of the backbone; adapters and head are float32."
    )
    n_nodes: int
    sublayers: int = Field(description="Sub-layers of a block, so nodes that a block adds.")


class DataEntry(_Strict):
    """Which data the layout was trained on, and how they were read."""

    data: str
    config: str | None
    text: str | None
    text_pair: str | None
    image: str | None
    label: str | None
    target: str | None
    metric: str | None
    max_length: int | None
    shots: int | None
    train_size: int | None
    validation_size: int | None
    split_seed: int


class TaskEntry(_Strict):
    """The task, and how its logits come about."""

    name: str
    target: Target = Field(description="What labels are, and so what logits mean.")
    metric: str
    is_higher_better: bool
    label_names: list[str] = Field(description="One per logit.")
    data: DataEntry
    pooling: Pooling = Field(description="How tokens become the feature that the head reads.")
    max_tokens: int | None = Field(
        default=None,
        description="Tokens of the longest text that it was trained and scored on, as cut; null "
        "for other inputs, and in files of earlier versions.",
    )


class ModuleEntry(_Strict):
    """A module with every setting, defaults too."""

    type: str
    settings: dict[str, Setting]


class ConnectionEntry(_Strict):
    """One connection; its id is also the prefix of its weights."""

    id: str = Field(description="'connection.<index>', in canonical order.")
    kind: Kind
    source: int = Field(ge=0)
    target: int = Field(ge=0)
    module: ModuleEntry


class CostEntry(_Strict):
    """Counted costs; factors are relative to the bare backbone with its head."""

    n_adapter_parameters: int
    n_head_parameters: int
    n_bytes: int
    n_flops: int
    flops_factor: float
    latency_factor: float | None


class ScoreEntry(_Strict):
    """One evaluation of the layout."""

    seed: int
    validation: float
    test: float | None


class IntervalEntry(_Strict):
    """A mean over seeds with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int


class ScoresEntry(_Strict):
    """What the layout scored."""

    exported: ScoreEntry = Field(description="The evaluation whose weights lie beside this file.")
    search: ScoreEntry | None = Field(
        description="The evaluation that the search ranked it by; null for a derived layout."
    )
    finals: list[ScoreEntry] = Field(description="Retrainings from fresh seeds.")
    validation: IntervalEntry | None = Field(description="Over the finals.")
    test: IntervalEntry | None = Field(
        description="Over the finals; an answer's is flattered by the luck of being chosen."
    )
    after_choice: IntervalEntry | None = Field(
        default=None,
        description="On the test split, over trainings after it was chosen as the answer.",
    )


class CheckEntry(_Strict):
    """Logits of the exported model on made-up inputs, for whoever loads the weights."""

    seed: int = Field(description="Fixes the inputs, together with the backbone's input format.")
    logits: list[list[Finite]]


class TrainingEntry(_Strict):
    """Training settings of the layout in place of those of the search that found it."""

    learning_rate: float | None = Field(None, description="Null for the search's own.")
    weight_decay: float | None = Field(None, description="Null for the search's own.")


class ProvenanceEntry(_Strict):
    """The study where the layout, or the first one that it was made of, comes from."""

    study: str
    trial: int
    role: str
    data_fingerprint: str
    command: str = Field(description="The search that found it.")
    packages: dict[str, str] = Field(description="Versions that the study was made with.")


class ParentEntry(_Strict):
    """A trained layout that another one was made of."""

    layout_id: str
    notation: str
    task: str
    weights_sha256: str
    study: str
    trial: int
    derived_from: "DerivationEntry | None"


class DerivationEntry(_Strict):
    """How a layout was made of trained ones."""

    operation: str = Field(description="The command, e.g. 'prune'.")
    settings: dict[str, Setting] = Field(description="What it was asked to do.")
    parents: list[ParentEntry] = Field(
        description="What it was made of; task, data, head and provenance are the first one's."
    )
    packages: dict[str, str] = Field(description="Versions that it was made with.")


class LayoutFile(_Strict):
    """A trained layout, without its weights."""

    schema_version: Literal[2]
    tool_version: str
    layout_id: str
    weights_sha256: str = Field(description="SHA-256 of the safetensors file beside this one.")
    notation: str
    first_pass: FirstPass
    backbone: BackboneEntry
    task: TaskEntry
    connections: list[ConnectionEntry]
    costs: CostEntry
    scores: ScoresEntry
    check: CheckEntry
    provenance: ProvenanceEntry
    training: TrainingEntry | None = Field(
        None, description="How it was trained where its space proposes that; null elsewhere."
    )
    plan: dict[str, Setting] | None = Field(
        None,
        description="Epochs, batch size and the other settings that its weights were last trained "
        "with; null in files of earlier versions.",
    )
    derived_from: DerivationEntry | None = Field(
        default=None, description="What it was made of; null for a layout that a study trained."
    )

    def layout(self) -> Layout:
        """The layout itself, checked to be what kinds, id and notation say.

        Raises:
            ExportError: If they disagree, or a module's settings break a rule.
        """
        try:
            layout = Layout(tuple(map(_connection, self.connections)), self.first_pass)
        except LayoutError as error:
            raise ExportError(f"connections of the layout file: {error}") from error
        if _named(connection_entries(layout)) != _named(self.connections):
            raise ExportError(
                "connections of the layout file must stand in order, as connection.0, connection.1 "
                "and so on; it was changed by hand or damaged"
            )
        if (layout.notation, layout.id) != (self.notation, self.layout_id):
            raise ExportError(
                f"the connections mean {layout.notation} with id {layout.id}, the layout file says "
                f"{self.notation} with id {self.layout_id}; it was changed by hand or damaged"
            )
        return layout

    def training_plan(self) -> TrainingPlan:
        """How its weights were last trained; a search's defaults stand in for what is not said.

        Raises:
            ExportError: If a setting is not known, of another type, or out of range.
        """
        said = self.plan or {}
        unknown = sorted(said.keys() - TrainingPlan.__dataclass_fields__.keys())
        if unknown:
            raise ExportError(f"plan of the layout file: {unknown[0]} is not known")
        try:
            return _PLAN.validate_json(json.dumps(said), strict=True)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ExportError(f"plan of the layout file: {wrong}") from error
        except EvaluationError as error:
            raise ExportError(f"plan of the layout file: {error}") from error


_PLAN = TypeAdapter(TrainingPlan)


def _named(entries: Sequence[ConnectionEntry]) -> list[tuple[str, int, int, str]]:
    return [(entry.id, entry.source, entry.target, entry.module.type) for entry in entries]


def _connection(entry: ConnectionEntry) -> Connection:
    place = f"{entry.id} ({entry.source}>{entry.target})"
    module = make_module(MODULE_TYPES, entry.module.type, entry.module.settings, place)
    connection = Connection(entry.source, entry.target, module)
    if connection.kind is not entry.kind:
        raise LayoutError(f"{place} is {connection.kind}, the file says {entry.kind}")
    return connection


def connection_entries(layout: Layout) -> list[ConnectionEntry]:
    """The connections of a layout as its file holds them."""
    return [
        ConnectionEntry(
            id=f"connection.{index}",
            kind=connection.kind,
            source=connection.source,
            target=connection.target,
            module=ModuleEntry(
                type=connection.module.type,
                settings=MODULE_TYPES[connection.module.type].complete(connection.module.settings),
            ),
        )
        for index, connection in enumerate(layout.connections)
    ]


def layout_json(file: LayoutFile) -> str:
    """The text of a layout file: sorted keys, two spaces, a newline at the end, never NaN."""
    data = file.model_dump(mode="json")
    return json.dumps(data, indent=2, sort_keys=True, allow_nan=False) + "\n"


def read_layout_file(path: Path) -> LayoutFile:
    """Read and check a layout file.

    Raises:
        ExportError: If it is missing, is no JSON, or breaks its schema; all mistakes at once.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExportError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{path} is not JSON: {error}") from error
    found = data.get("schema_version") if isinstance(data, dict) else None
    if found is None:
        raise ExportError(f"{path} is no layout file; placement-search export writes one")
    if found != SCHEMA_VERSION:
        raise ExportError(
            f"{path} has schema_version {found!r}, this version of the tool reads {SCHEMA_VERSION}"
        )
    try:
        return LayoutFile.model_validate(data)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, e['loc']))}: {e['msg']}, got {e['input']!r}"
            for e in error.errors()
        ]
        raise ExportError("\n".join([f"{path} is not a layout file:", *lines])) from error


def json_schema() -> dict[str, Any]:
    """The JSON Schema of layout files, which ships as ``export/layout.schema.json``."""
    schema = LayoutFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def main() -> None:
    """Print the schema: ``python -m placement_search.export.layout_file``."""
    sys.stdout.write(json.dumps(json_schema(), indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
