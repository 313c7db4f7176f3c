"""The modules of a model that its family names."""

from torch import nn

from placement_search.backbones.families import Family
from placement_search.errors import BackboneError


def blocks_of(model: nn.Module, family: Family) -> list[nn.Module]:
    """The blocks of a model, in order.

    Raises:
        BackboneError: If there is no such list, or nothing in it.
    """
    found = inner(model, family.blocks, "blocks")
    blocks = [] if found is None else list(found.children())
    if not blocks:
        raise BackboneError(
            f"{type(model).__name__} has an empty list of blocks at {family.blocks!r}"
        )
    return blocks


def inner(module: nn.Module, path: str | None, key: str) -> nn.Module | None:
    """The submodule at ``path``, which the family names under ``key``; None where it names none.

    Raises:
        BackboneError: If there is none, naming the key and what there is instead.
    """
    if path is None:
        return None
    try:
        return module.get_submodule(path)
    except AttributeError as error:
        there = ", ".join(name for name, _ in module.named_children())
        raise BackboneError(
            f"{type(module).__name__} has no module {path!r}, which its family names as {key}; "
            f"it holds {there}"
        ) from error
