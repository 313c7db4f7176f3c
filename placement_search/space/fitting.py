"""Which of a file's connections can have any of its modules, and what is told where none can."""

from collections.abc import Sequence

from placement_search.errors import SpaceError
from placement_search.layout import ModuleSpec
from placement_search.space.file import SpaceFile
from placement_search.space.groups import Group
from placement_search.space.place_classes import PlaceClasses

Misfit = tuple[str, str]
"""A connection's notation, and why it can't be."""


def with_fitting_modules(
    file: SpaceFile,
    groups: tuple[Group, ...],
    always: frozenset[int],
    modules: Sequence[ModuleSpec],
    classes: PlaceClasses,
) -> tuple[tuple[Group, ...], frozenset[int]]:
    """The groups that some module fits, and which of them are always there.

    A group has a module only where all of its connections can have it.

    Raises:
        SpaceError: If a module fits no group, or no module a group that is always there.
    """
    if not classes.misfits or not groups:
        return groups, always
    found = [[_misfit(module, group, classes) for module in modules] for group in groups]
    mistakes = [
        _unused(file, module, each, classes)
        for module, column in zip(modules, zip(*found, strict=True), strict=True)
        if len(each := [misfit for misfit in column if misfit]) == len(groups)
    ]
    kept = [number for number, row in enumerate(found) if not all(row)]
    for number in sorted(always - set(kept)) if not mistakes else ():
        source, target = groups[number][0]
        reasons = _told([misfit for misfit in found[number] if misfit])
        mistakes.append(
            f"always names {source}>{target} in space {file.name!r}, which no module fits: "
            f"{reasons}; add a module, or leave the connection out"
        )
    if mistakes:
        raise SpaceError("; ".join(mistakes))
    forced = frozenset(new for new, old in enumerate(kept) if old in always)
    return tuple(groups[number] for number in kept), forced


def _unused(
    file: SpaceFile, module: ModuleSpec, misfits: Sequence[Misfit], classes: PlaceClasses
) -> str:
    """That a module fits no connection; where all places say the same of it, that alone."""
    if not classes.fitting(module):
        reasons = set(classes.misfits[module].values())
        told = f"it {reasons.pop()}" if len(reasons) == 1 else _told(misfits)
        return (
            f"{module.notation} of space {file.name!r} fits no place of the backbone: {told}; "
            "change its settings, or leave the module out"
        )
    return (
        f"{module.notation} fits no connection of space {file.name!r}: {_told(misfits)}; admit "
        "other connections, or leave the module out"
    )


def _misfit(module: ModuleSpec, group: Group, classes: PlaceClasses) -> Misfit | None:
    """The first connection of a group that a module does not fit; None where it fits all."""
    for source, target in group:
        if reason := classes.misfit(module, (source, target)):
            return f"{source}>{target}:{module.notation}", reason
    return None


def _told(misfits: Sequence[Misfit]) -> str:
    """One connection for each of the first few reasons."""
    first: dict[str, str] = {}
    for notation, reason in misfits:
        first.setdefault(reason, notation)
    return ", ".join(f"{notation} {reason}" for reason, notation in list(first.items())[:3])
