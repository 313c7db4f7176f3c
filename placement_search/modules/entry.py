"""A module type as the table of module types holds it."""

from collections.abc import Callable
from typing import NamedTuple

from placement_search.module_type import ModuleType, Settings
from placement_search.modules.contract import ConnectionModule
from placement_search.places import Place


class ModuleEntry(NamedTuple):
    """A type's description and what builds it from complete settings and a place."""

    type: ModuleType
    build: Callable[[Settings, Place], ConnectionModule]
