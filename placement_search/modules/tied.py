"""``tied``: one module at several connections, a setting that every module type has.

Connections of a layout whose modules are equal, with a number above 0 under ``tied``, are one
module: all parameters and buffers, what other settings add included. It costs as much as at one
connection, and is stored once. Pruning with sharing (Pear, arXiv 2409.19733) writes it.
"""

from dataclasses import replace

from placement_search.layout import ModuleSpec
from placement_search.module_type import Setting, Settings
from placement_search.modules.entry import ModuleEntry
from placement_search.places import Place

TIED = "tied"
SETTING = Setting(
    0,
    "number of a group: connections whose modules say the same, this number included, are one "
    "module; 0 for a module of its own",
    minimum=0,
)


def is_tied(spec: ModuleSpec) -> bool:
    """Whether all connections with this very module are one module."""
    return bool(spec.settings.get(TIED, 0))


def tied(entry: ModuleEntry) -> ModuleEntry:
    """A module type that can be tied too; the outermost of all that widen a type.

    Only modules of states can be: those inside a sub-layer have the shapes of its own maps.

    Args:
        entry: A type, with the settings that others have added to it.
    """
    own = entry.type

    def count(settings: Settings, place: Place) -> int:
        return 0 if settings[TIED] else own.count(settings, place)

    def count_shared(settings: Settings, width: int) -> int:
        alone = own.count(settings, Place(width)) if settings[TIED] else 0
        return alone + own.count_shared(settings, width)

    def misfit(settings: Settings, place: Place) -> str:
        if settings[TIED] and own.is_inside:
            return "works inside a sub-layer, and can't be tied; leave tied at 0"
        return own.misfit(settings, place)

    widened = replace(
        own,
        settings={**own.settings, TIED: SETTING},
        count=count,
        count_shared=count_shared,
        misfit=misfit,
    )
    return ModuleEntry(widened, entry.build)
