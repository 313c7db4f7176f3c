"""What a search-space file may say: its keys, their types and the rules that need no backbone."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictInt,
    StrictStr,
    Tag,
    field_validator,
    model_validator,
)

from placement_search.errors import nearest
from placement_search.layout import FirstPass, Kind

NodeRange = Annotated[
    StrictInt | StrictStr,
    Field(
        description="A node, e.g. 3; a range with both ends, e.g. '3-9'; 'embeddings'; a block's "
        "nodes, e.g. 'block 3' or 'blocks 3-5'; those after a sub-layer, e.g. 'attention' or "
        "'mlp of blocks 0-5'."
    ),
]


def _checked_nodes(nodes: object) -> object:
    """Told in one way whether a file means the word or the list."""
    said = "'all', or a list of nodes, e.g. [0, '3-9', 'block 3']"
    if nodes != "all" and not isinstance(nodes, list):
        raise ValueError(f"takes {said}")
    wrong = [each for each in nodes if type(each) not in {int, str}] if nodes != "all" else []
    if wrong:
        raise ValueError(f"takes {said}, where {wrong[0]!r} is none")
    return nodes


Nodes = Annotated[Literal["all"] | list[NodeRange], BeforeValidator(_checked_nodes)]
Choice = bool | int | float | str


def _checked_choices(value: object) -> object:
    """Told in one way whether a file means a value or a list of them."""
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, Choice):
            raise ValueError(f"takes a value or a list of values, where {each!r} is none")  # noqa: TRY004 - pydantic expects this one
    return value


Settings = dict[str, Annotated[Choice | list[Choice], BeforeValidator(_checked_choices)]]


def _checked_pattern(text: object) -> object:
    if not isinstance(text, str) or text.count(">") != 1:
        raise ValueError(
            "connections are written source>target in quotes, where an end is a node, a range, a "
            "place or *, e.g. '3>4', '*>0' or 'mlp>blocks 0-2'"
        )
    return text


def _checked_group(text: object) -> object:
    if isinstance(text, str) and text in set(Kind):
        return str(text)
    if isinstance(text, str) and ">" not in text:
        raise ValueError(f"not a kind of connection{nearest(text, map(str, Kind))}")
    return _checked_pattern(text)


def _checked_number(value: object) -> object:
    if isinstance(value, bool):  # Python's true equals 1, JSON's does not
        raise ValueError("a truth value is no number")  # noqa: TRY004 - pydantic expects this one
    return value


Pattern = Annotated[str, BeforeValidator(_checked_pattern)]
Group = Annotated[
    str,
    BeforeValidator(_checked_group),
    Field(description="A kind, e.g. recurrent, or connections by their ends, e.g. '*>0'."),
]
Number = Annotated[float, BeforeValidator(_checked_number)]


class Strict(BaseModel):
    """Refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _exactly_in_schema(schema: dict[str, Any]) -> None:
    """Say what `ConnectionCount` takes before ``exactly`` becomes its two limits."""
    schema["properties"]["exactly"] = {
        "description": "How many connections every layout has, in place of the two limits.",
        "minimum": 1,
        "title": "Exactly",
        "type": "integer",
    }
    del schema["required"]
    schema["oneOf"] = [
        {"required": ["at_most"], "not": {"required": ["exactly"]}},
        {"required": ["exactly"], "maxProperties": 1},
    ]


class ConnectionCount(Strict):
    """How many connections a layout has; a group of tied or symmetric ones counts as one."""

    model_config = ConfigDict(json_schema_extra=_exactly_in_schema)
    at_least: StrictInt = Field(1, ge=1, description="Fewest connections of a layout.")
    at_most: StrictInt = Field(..., ge=1, description="Most connections of a layout.")

    @model_validator(mode="before")
    @classmethod
    def _read_exactly(cls, data: object) -> object:
        if not isinstance(data, dict) or "exactly" not in data:
            return data
        beside = sorted(str(key) for key in data.keys() - {"exactly"})
        n = data["exactly"]
        if beside:
            raise ValueError(f"exactly says it all; leave {' and '.join(beside)} out")
        if type(n) is not int or n < 1:
            raise ValueError(f"exactly takes a whole number from 1 on, not {n!r}")
        return {"at_least": n, "at_most": n}

    @model_validator(mode="after")
    def _check_order(self) -> "ConnectionCount":
        if self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least} exceeds at_most {self.at_most}")
        return self


def options_of(settings: Mapping[str, Any]) -> dict[str, tuple[Choice, ...]]:
    """The values of each setting, where one value and a list of one mean the same."""
    return {
        name: tuple(value) if isinstance(value, list) else (value,)
        for name, value in settings.items()
    }


class ModuleChoice(BaseModel):
    """A module type; each of its settings may be one value or a list to search over."""

    model_config = ConfigDict(extra="allow", frozen=True)
    type: str = Field(..., description="Module type, e.g. bottleneck.")

    @property
    def options(self) -> dict[str, tuple[Choice, ...]]:
        """The values to search over for each setting that the file gives, in the file's order."""
        return options_of(self.model_extra or {})


class Described(Strict):
    """Connections by where they are, by the modules that they have, or by both."""

    connections: Group = "*>*"
    module: Settings = Field(
        ..., min_length=1, description="Those that have modules with these settings, or this type."
    )


def _way(described: object) -> str:
    """Which form of `Connections` a file uses, so that mistakes are told about that form alone."""
    return "by-module" if isinstance(described, dict | Described) else "by-place"


Connections = Annotated[
    Annotated[Group, Tag("by-place")] | Annotated[Described, Tag("by-module")],
    Discriminator(_way),
]


def where(connections: str | Described) -> str:
    """The kind or the ends of the connections that a condition names."""
    return connections if isinstance(connections, str) else connections.connections


class Condition(Strict):
    """What holds for a layout that has connections of some sort; at least one consequence."""

    has: Connections = Field(..., description="The connections that the condition is about.")
    at_most: StrictInt | None = Field(None, ge=1, description="Then it has so many at most.")
    in_all: StrictInt | None = Field(
        None, ge=1, description="Then it has so many connections of all sorts at most."
    )
    module: Settings | None = Field(
        None, min_length=1, description="Then they have modules with these settings, or this type."
    )
    without: Connections | None = Field(None, description="Then it has none of these connections.")

    @model_validator(mode="after")
    def _check_consequence(self) -> "Condition":
        said = (self.at_most, self.in_all, self.module, self.without)
        if all(consequence is None for consequence in said):
            raise ValueError("a condition needs at_most, in_all, module or without beside has")
        return self


class Interval(Strict):
    """All numbers between two limits."""

    low: Number = Field(..., description="Smallest value.")
    high: Number = Field(..., description="Largest value.")
    log: bool = Field(default=False, description="Whether factors, not steps, count alike.")

    @model_validator(mode="after")
    def _check_ends(self) -> "Interval":
        if not self.low < self.high:
            raise ValueError(f"low {self.low:g} must lie below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"with log, low must be above 0, not {self.low:g}")
        return self


def _shape(searched: object) -> str:
    """Which form of `Searched` a file uses, so that mistakes are told about that form alone."""
    if isinstance(searched, dict | Interval):
        return "interval"
    return "list" if isinstance(searched, list) else "number"


Searched = Annotated[
    Annotated[Number, Tag("number")]
    | Annotated[list[Number], Field(min_length=1), Tag("list")]
    | Annotated[Interval, Tag("interval")],
    Discriminator(_shape),
]


def _numbers(searched: float | list[float] | Interval) -> Iterator[float]:
    if isinstance(searched, Interval):
        yield from (searched.low, searched.high)
    else:
        yield from searched if isinstance(searched, list) else [searched]


class TrainingOptions(Strict):
    """Training settings: a value for all layouts, a list, or an interval to search over."""

    learning_rate: Searched | None = Field(None, description="Peak learning rate.")
    weight_decay: Searched | None = Field(None, description="AdamW's weight decay.")

    @field_validator("learning_rate", "weight_decay")
    @classmethod
    def _check_numbers(
        cls,
        searched: float | list[float] | Interval | None,
        info: Any,  # noqa: ANN401 - pydantic's
    ) -> float | list[float] | Interval | None:
        for number in _numbers(searched) if searched is not None else ():
            if not math.isfinite(number) or number < 0:
                raise ValueError(f"must be finite and at least 0, not {number:g}")
            if number == 0 and info.field_name == "learning_rate":
                raise ValueError("must be above 0")
        return searched


class SpaceFile(Strict):
    """What a search-space file says; the backbone decides which nodes and connections exist."""

    schema_version: Literal[1] = Field(..., description="Version of this format.")
    name: str = Field(..., pattern=r"^[a-z0-9][a-z0-9_-]*$", description="Name of the space.")
    description: str = Field("", description="The question that the space asks.")
    include: list[str] = Field(
        [], description="Other space files, relative to this one; later and own keys win."
    )
    kinds: list[Kind] = Field(..., min_length=1, description="Kinds of connection it may use.")
    connections: ConnectionCount
    sources: Nodes = Field("all", description="Nodes that a connection may read.")
    targets: Nodes = Field("all", description="Nodes that a connection may add to.")
    always: list[Pattern] = Field(
        [],
        description="Connections of every layout, e.g. '3>4', or 'attention of block 3>mlp of "
        "block 3', whatever else the file says.",
    )
    never: list[Pattern] = Field(
        [], description="Connections of no layout, e.g. '3>4', or '*>0' for all into node 0."
    )
    symmetric: bool = Field(
        default=False, description="Whether a connection comes with its reverse."
    )
    tied: Literal["blocks"] | None = Field(
        None, description="blocks: a connection is repeated in every block."
    )
    modules: list[ModuleChoice] = Field(..., min_length=1, description="Module types to try.")
    shared: Settings = Field(
        {}, description="Settings of all modules that have them and don't say otherwise."
    )
    module_per: Literal["layout", "connection"] = Field(
        "layout", description="One module for all connections of a layout, or one for each."
    )
    first_pass: FirstPass = Field(
        FirstPass.FROZEN, description="What the first pass of a recurrent layout carries."
    )
    training: TrainingOptions = Field(
        TrainingOptions(learning_rate=None, weight_decay=None),
        description="Training settings of the layouts, in place of the command's.",
    )
    when: list[Condition] = Field([], description="Conditions that every layout meets.")

    @field_validator("schema_version", mode="before")
    @classmethod
    def _check_is_number(cls, value: object) -> object:
        if isinstance(value, bool):  # Python's true equals 1, JSON's does not
            raise ValueError("a version is a number")  # noqa: TRY004 - pydantic expects this one
        return value

    @property
    def content(self) -> dict[str, Any]:
        """What the file says as JSON; keys that came with later versions only where they matter.

        So a study that an earlier version made is still seen to have the same space.
        """
        dumped = self.model_dump(mode="json")
        fields = type(self).model_fields
        plain = {name for name in LATER_KEYS if getattr(self, name) == fields[name].default}
        return {name: value for name, value in dumped.items() if name not in plain}


LATER_KEYS = frozenset({
    "include", "always", "never", "symmetric", "tied", "shared", "training", "when",
})  # fmt: skip
"""Keys that the first version of the package did not know."""
