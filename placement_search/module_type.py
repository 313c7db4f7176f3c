"""What a module type says about itself without torch: its settings, their rules, its size."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from placement_search.errors import LayoutError, nearest
from placement_search.places import Place

Scalar = bool | int | float | str
Settings = Mapping[str, Scalar]
"""Complete settings of a module type: every one of them, by name."""


def _nothing_shared(settings: Settings, width: int) -> int:
    del settings, width
    return 0


def _anywhere(settings: Settings, place: Place) -> str:
    del settings, place
    return ""


def _consistent(settings: Settings) -> str:
    del settings
    return ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a module type: its default, which fixes its type, and its range.

    Args:
        default: Value that a layout leaves unsaid.
        doc: One line for help and documentation.
        minimum: Smallest value allowed, inclusive; numbers only.
        choices: The only values allowed; empty for no such rule.
        is_always_written: Whether layouts say it even at its default, as with a rank.
        maximum: Largest value allowed, inclusive; numbers only.
    """

    default: Scalar
    doc: str
    minimum: float | None = None
    choices: tuple[Scalar, ...] = ()
    is_always_written: bool = False
    maximum: float | None = None

    def checked(self, value: Scalar, place: str) -> Scalar:
        """``value`` in this setting's own type.

        Raises:
            LayoutError: If type, range or choice is broken; ``place`` says where it stands.
        """
        if isinstance(self.default, float) and type(value) is int:
            value = _as_float(value, place)
        if type(value) is not type(self.default):
            wanted = type(self.default).__name__
            raise LayoutError(f"{place} must be of type {wanted}, got {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise LayoutError(f"{place} must be finite, got {value!r}")
        if self.choices and value not in self.choices:
            known = ", ".join(map(str, self.choices))
            raise LayoutError(f"{place} must be one of {known}; got {value!r}")
        if self.minimum is not None and not isinstance(value, str) and value < self.minimum:
            raise LayoutError(f"{place} must be at least {self.minimum:g}, got {value!r}")
        if self.maximum is not None and not isinstance(value, str) and value > self.maximum:
            raise LayoutError(f"{place} must be at most {self.maximum:g}, got {value!r}")
        # Minus zero equals zero, but would be written otherwise and so have another id.
        return value + 0.0 if isinstance(value, float) else value


def _as_float(value: int, place: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise LayoutError(f"{place} is too large for a number with a fraction") from error


@dataclass(frozen=True, slots=True)
class ModuleType:
    """A kind of trainable function, described without torch.

    Args:
        name: How layouts, files and help call it.
        settings: Every setting by name; a default may never change once released, since
            layouts leave most defaults unsaid.
        count: Gives the number of trainable parameters at a place, without those that are shared.
        count_shared: Gives, by the backbone's width, the number of those that all connections of a
            layout with the same type and settings have together.
        misfit: Says why it can't work at a place, in words that follow the connection's notation;
            nothing where it can.
        contradiction: Says why settings contradict each other, whatever the place, in such words;
            nothing where they do not. It is a misfit everywhere.
        is_inside: Whether it works inside the sub-layer that its connection goes around, whose
            input is then its source, and not on the states of two nodes.
    """

    name: str
    settings: Mapping[str, Setting]
    count: Callable[[Settings, Place], int]
    count_shared: Callable[[Settings, int], int] = _nothing_shared
    misfit: Callable[[Settings, Place], str] = _anywhere
    is_inside: bool = False
    contradiction: Callable[[Settings], str] = _consistent

    def written(self, given: Mapping[str, Scalar], place: str) -> dict[str, Scalar]:
        """The checked settings that a layout writes, sorted by name.

        They are those that differ from their defaults, and those that are always written.

        Raises:
            LayoutError: Naming every setting that is unknown or whose value breaks a rule.
        """
        mistakes = [
            f"unknown setting {name!r} of {self.name} in {place}" + nearest(name, self.settings)
            for name in given
            if name not in self.settings
        ]
        values: dict[str, Scalar] = {}
        for name, setting in sorted(self.settings.items()):
            try:
                value = self._value(name, given, place)
            except LayoutError as error:
                mistakes.append(str(error))
                continue
            if setting.is_always_written or value != setting.default:
                values[name] = value
        if mistakes:
            raise LayoutError("; ".join(mistakes))
        return values

    def complete(self, given: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Every setting of the type, with the values of ``given`` where it has them."""
        return {
            name: given.get(name, setting.default)
            for name, setting in sorted(self.settings.items())
        }

    def _value(self, name: str, given: Mapping[str, Scalar], place: str) -> Scalar:
        setting = self.settings[name]
        if name not in given:
            return setting.default
        return setting.checked(given[name], f"{name} of {self.name} in {place}")
