"""Options of every module type, a gate and a mask; the table adds them and no type knows them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from placement_search.module_type import Scalar, Setting, Settings
from placement_search.modules.contract import ConnectionModule, InsideModule, StateModule
from placement_search.modules.entry import ModuleEntry
from placement_search.modules.gate import GatedInside, GatedState
from placement_search.modules.mask import RULES, masked
from placement_search.places import Place

NO_MASK = "none"
OPTIONS: Mapping[str, Setting] = {
    "gate": Setting(default=False, doc="a learned gate on what it adds or changes, by its input"),
    "mask": Setting(
        NO_MASK,
        "what chooses, before training, the weights that are kept",
        choices=(NO_MASK, *RULES),
    ),
    "kept": Setting(
        1.0, "share of the weights in matrices that a mask keeps", minimum=0.001, maximum=1.0
    ),
}
"""Unsaid at their defaults, so layouts without them are called what they were always called."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What a type builds from some settings at some place.

    Args:
        matrices: Names of the parameters that may be masked: matrices that are its own alone.
        n_entries: Of all of them.
        paths: Of the modules in its sub-layer for which it changes what they give, then of those
            for which it changes what they read; empty for a state module.
    """

    matrices: tuple[str, ...]
    n_entries: int
    paths: tuple[str, ...]


def anatomy_of(entry: ModuleEntry, settings: Settings, place: Place) -> Anatomy:
    """What ``entry`` builds, seen on two modules that share what they can."""
    with torch.random.fork_rng(devices=[]):
        first, second = entry.build(settings, place), entry.build(settings, place)
    second.share_with(first)
    shared = {id(parameter) for parameter in first.parameters()}
    own = [
        (name, parameter)
        for name, parameter in second.named_parameters()
        if parameter.ndim > 1 and id(parameter) not in shared
    ]
    return Anatomy(
        matrices=tuple(name for name, _ in own),
        n_entries=sum(parameter.numel() for _, parameter in own),
        paths=(*second.paths, *second.reads) if isinstance(second, InsideModule) else (),
    )


class _Optional:
    """A module type with its options.

    Args:
        entry: The type without them.
    """

    def __init__(self, entry: ModuleEntry) -> None:
        self._entry = entry
        self._looked_at = lru_cache(maxsize=4096)(self._look)

    def entry(self) -> ModuleEntry:
        """The type as the table holds it."""
        plain = self._entry.type
        described = replace(
            plain,
            settings={**plain.settings, **OPTIONS},
            count=self.count,
            count_shared=lambda settings, width: plain.count_shared(_plain(settings), width),
            misfit=self.misfit,
            contradiction=_contradiction,
        )
        return ModuleEntry(described, self.build)

    def count(self, settings: Settings, place: Place) -> int:
        """The type's parameters, less those that a mask leaves out, and the gate's."""
        plain = self._entry.type
        total = plain.count(_plain(settings), place)
        if not (_is_masked(settings) or settings["gate"]) or self.misfit(settings, place):
            return total
        if settings["gate"]:
            total += sum(width + 1 for width in self._gate_widths(settings, place))
        if _is_masked(settings):
            n_entries = self._anatomy(settings, place).n_entries
            total -= n_entries - n_kept(settings, n_entries)
        return total

    def misfit(self, settings: Settings, place: Place) -> str:
        """Why it can't work at a place; see `ModuleType`."""
        if reason := self._entry.type.misfit(_plain(settings), place):
            return reason
        if not _is_masked(settings):
            return _contradiction(settings)
        if not self._anatomy(settings, place).n_entries:
            return "has no matrices that a mask could thin out: leave mask and kept out"
        return ""

    def build(self, settings: Settings, place: Place) -> ConnectionModule:
        """The module, in its mask and behind its gate."""
        module = self._entry.build(_plain(settings), place)
        if _is_masked(settings) and (seen := self._anatomy(settings, place)).n_entries:
            n = n_kept(settings, seen.n_entries)
            module = masked(module, seen.matrices, n, str(settings["mask"]))
        if not settings["gate"]:
            return module
        if isinstance(module, StateModule):
            return GatedState(module, place.width, is_causal=place.is_causal)
        if isinstance(module, InsideModule):
            return GatedInside(module, self._gate_widths(settings, place))
        raise TypeError(f"{type(module).__name__} is no module of a connection")

    def _gate_widths(self, settings: Settings, place: Place) -> tuple[int, ...]:
        """Channels that each gate reads; a norm reads the width."""
        if not self._entry.type.is_inside:
            return (place.width,)
        linears = place.sublayer.linears if place.sublayer else ()
        read = {linear.path: linear.n_in for linear in linears}
        return tuple(read.get(path, place.width) for path in self._anatomy(settings, place).paths)

    def _anatomy(self, settings: Settings, place: Place) -> Anatomy:
        return self._looked_at(tuple(sorted(_plain(settings).items())), place)

    def _look(self, settings: tuple[tuple[str, Scalar], ...], place: Place) -> Anatomy:
        return anatomy_of(self._entry, dict(settings), place)


def with_options(entries: Mapping[str, ModuleEntry]) -> dict[str, ModuleEntry]:
    """The same module types with `OPTIONS` beside their own settings."""
    return {name: _Optional(entry).entry() for name, entry in entries.items()}


def n_kept(settings: Settings, n_entries: int) -> int:
    """How many of so many entries a mask keeps: the nearest number to the share, at least one."""
    return max(1, round(float(settings["kept"]) * n_entries))


def _plain(settings: Settings) -> dict[str, Scalar]:
    """The settings without options."""
    return {name: value for name, value in settings.items() if name not in OPTIONS}


def _contradiction(settings: Settings) -> str:
    if _is_masked(settings) or settings["kept"] == 1:
        return ""
    return "keeps a share of its weights by no mask: say which (mask)"


def _is_masked(settings: Settings) -> bool:
    return settings["mask"] != NO_MASK
