"""Connections and layouts: frozen values with a canonical order, a stable id and a notation.

A layout in one line is its connections, joined by ``+``, each ``source>target:type(settings)``:

    3>9:bottleneck(rank=8)+20>4:bottleneck(rank=4)

Most settings are left out at their default. ``first_pass=adapted`` follows after a bar where
recurrent connections are to see an adapted first pass. ``none`` has no connections.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from placement_search.errors import LayoutError, nearest
from placement_search.module_type import ModuleType, Scalar

ModuleTypes = Mapping[str, ModuleType]


class Kind(StrEnum):
    """How a connection's two ends lie to each other; the values stand in files."""

    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"
    LONG_RANGE = "long_range"
    RECURRENT = "recurrent"


class FirstPass(StrEnum):
    """What the first of two passes carries when a layout has recurrent connections."""

    FROZEN = "frozen"
    ADAPTED = "adapted"


def kind_of(source: int, target: int) -> Kind:
    """The kind of a connection from node ``source`` to node ``target``."""
    if source > target:
        return Kind.RECURRENT
    if source == target:
        return Kind.SEQUENTIAL
    return Kind.PARALLEL if target == source + 1 else Kind.LONG_RANGE


SHOWN_CONNECTIONS = 6
"""Of a layout that is shown whole."""
_BETWEEN = re.compile(r"\+(?=\s*\d+\s*>)")
"""What stands between two connections of a notation."""


@dataclass(frozen=True, slots=True, order=True)
class ModuleSpec:
    """A module type with the settings that its notation writes, sorted by name.

    Made by `make_module`, which checks them and leaves out what need not be written.
    """

    type: str
    written: tuple[tuple[str, Scalar], ...] = ()
    notation: str = field(init=False, repr=False, compare=False)
    """``type`` or ``type(name=value,…)``."""

    def __post_init__(self) -> None:
        """Write it once: layouts are sorted by it."""
        inner = ",".join(f"{name}={_written(value)}" for name, value in self.written)
        notation = f"{self.type}({inner})" if self.written else self.type
        object.__setattr__(self, "notation", notation)

    def __hash__(self) -> int:
        """That of the notation, which Python remembers: samplers look layouts up by the million."""
        return hash(self.notation)

    @property
    def settings(self) -> dict[str, Scalar]:
        """The written settings by name."""
        return dict(self.written)


@dataclass(frozen=True, slots=True)
class Connection:
    """One adapter's wiring: reads node ``source``, adds to node ``target``."""

    source: int
    target: int
    module: ModuleSpec

    def __post_init__(self) -> None:
        """Check that both ends are nodes at all; a backbone checks that it has them."""
        if min(self.source, self.target) < 0:
            raise LayoutError(f"nodes count from 0, got connection {self.source}>{self.target}")

    def __hash__(self) -> int:
        """See `ModuleSpec`."""
        return hash((self.source, self.target, self.module.notation))

    @property
    def kind(self) -> Kind:
        """The kind, which the two ends fix."""
        return kind_of(self.source, self.target)

    @property
    def notation(self) -> str:
        """``source>target:module``."""
        return f"{self.source}>{self.target}:{self.module.notation}"


@dataclass(frozen=True, slots=True)
class Layout:
    """The connections that one trial evaluates, in canonical order.

    Layouts equal up to the order of their connections are equal, and so are their ids.

    Raises:
        LayoutError: If two connections agree in source, target and module type.
    """

    connections: tuple[Connection, ...] = ()
    first_pass: FirstPass = FirstPass.FROZEN

    def __post_init__(self) -> None:
        """Sort, refuse repeats, and forget a first pass that nothing reads."""
        ordered = tuple(sorted(self.connections, key=_order))
        object.__setattr__(self, "connections", ordered)
        if not self.is_recurrent:
            object.__setattr__(self, "first_pass", FirstPass.FROZEN)
        ends = [(c.source, c.target, c.module.type) for c in ordered]
        if len(set(ends)) < len(ends):
            source, target, name = next(each for each in ends if ends.count(each) > 1)
            raise LayoutError(
                f"a layout holds one {name} for each pair of nodes, got {source}>{target} twice"
            )

    @property
    def is_recurrent(self) -> bool:
        """Whether the backbone has to run twice."""
        return any(c.source > c.target for c in self.connections)

    @property
    def targets(self) -> tuple[int, ...]:
        """The nodes that its connections add to, ascending."""
        return tuple(sorted({c.target for c in self.connections}))

    @property
    def notation(self) -> str:
        """The layout in one line, which `parse_layout` reads back."""
        joined = "+".join(c.notation for c in self.connections) or "none"
        return joined if self.first_pass is FirstPass.FROZEN else f"{joined}|first_pass=adapted"

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of the notation's SHA-256; equal on every machine."""
        return hashlib.sha256(self.notation.encode()).hexdigest()[:12]

    def without_recurrent(self) -> Self:
        """The same layout with its recurrent connections left out."""
        kept = tuple(c for c in self.connections if c.kind is not Kind.RECURRENT)
        return type(self)(kept)

    def check_nodes(self, n_nodes: int) -> None:
        """Check that a backbone of ``n_nodes`` nodes has every end.

        Raises:
            LayoutError: Naming the first connection that reaches beyond the last node.
        """
        for connection in self.connections:
            if max(connection.source, connection.target) >= n_nodes:
                raise LayoutError(
                    f"connection {connection.notation} reaches beyond the last node {n_nodes - 1}"
                )


def _order(connection: Connection) -> tuple[int, int, str]:
    return connection.source, connection.target, connection.module.notation


def _written(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def make_module(
    types: ModuleTypes, type_name: str, given: Mapping[str, Scalar], place: str
) -> ModuleSpec:
    """A checked module in canonical form.

    Raises:
        LayoutError: If the type or a setting is unknown, or a value breaks a rule.
    """
    if type_name not in types:
        raise LayoutError(
            f"unknown module type {type_name!r} in {place}" + nearest(type_name, types)
        )
    return ModuleSpec(type_name, tuple(types[type_name].written(given, place).items()))


_CONNECTION = re.compile(r"(\d{1,9})\s*>\s*(\d{1,9})\s*:\s*(\w+)\s*(?:\(([^()]*)\))?")


def shortened(notation: str, at_most: int = SHOWN_CONNECTIONS) -> str:
    """A layout's notation; where it has more than ``at_most`` connections, of the first alone."""
    parts = _BETWEEN.split(notation)
    if len(parts) <= at_most:
        return notation
    return f"{'+'.join(parts[: (at_most + 1) // 2])}+… ({len(parts)} connections)"


def parse_layout(text: str, types: ModuleTypes) -> Layout:
    """Read a layout's one-line notation; spaces and the order of connections do not matter.

    Raises:
        LayoutError: Naming the part that does not fit the notation or a type's rules.
    """
    body, _, option = text.partition("|")
    first_pass = _parse_first_pass(option.strip(), text) if option else FirstPass.FROZEN
    if body.strip() == "none":
        return Layout()
    parts = _BETWEEN.split(body)
    return Layout(tuple(_parse_connection(part.strip(), types) for part in parts), first_pass)


def _parse_first_pass(option: str, text: str) -> FirstPass:
    name, _, value = (part.strip() for part in option.partition("="))
    if name != "first_pass" or value not in set(FirstPass):
        raise LayoutError(
            f"after the bar a layout says first_pass=frozen or first_pass=adapted, "
            f"got {option!r} in {text!r}"
        )
    return FirstPass(value)


def _parse_connection(part: str, types: ModuleTypes) -> Connection:
    match = _CONNECTION.fullmatch(part)
    if match is None:
        raise LayoutError(
            "a connection is written source>target:type(setting=value), "
            f"e.g. 3>9:bottleneck(rank=8); got {part!r}"
        )
    source, target, name, inner = match.groups()
    given: dict[str, Scalar] = {}
    for assignment in filter(None, (piece.strip() for piece in (inner or "").split(","))):
        key, sign, value = (piece.strip() for piece in assignment.partition("="))
        if not sign or key in given:
            raise LayoutError(f"settings are written name=value, once each; got {part!r}")
        given[key] = _parse_scalar(value)
    return Connection(int(source), int(target), make_module(types, name, given, repr(part)))


def _parse_scalar(word: str) -> Scalar:
    if word in {"true", "false"}:
        return word == "true"
    for number in (int, float):
        try:
            return number(word)
        except ValueError:
            continue
    return word
