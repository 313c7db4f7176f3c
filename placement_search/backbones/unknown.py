"""What is said of an architecture that the package does not know: what it holds, and the cure."""

from dataclasses import dataclass

from torch import nn

from placement_search.backbones.families import FAMILIES, Pooling
from placement_search.errors import BackboneError, nearest


@dataclass(frozen=True, slots=True)
class Candidate:
    """A list of modules that may be the blocks.

    Args:
        path: Inside the model.
        length: Modules in it.
        kind: Class of the first.
        children: Names of the modules inside the first.
    """

    path: str
    length: int
    kind: str
    children: tuple[str, ...]

    def describe(self) -> str:
        """The candidate in one line."""
        inner = ", ".join(self.children) or "nothing inside"
        return f"{self.path}: {self.length} of {self.kind}, each with {inner}"


def unknown_architecture(model: nn.Module | None, model_type: str, name: str) -> BackboneError:
    """The error for a model whose family is unknown.

    Args:
        model: With or without weights; None where not even its modules are known.
        model_type: Family name of ``transformers``.
        name: How the user calls it.
    """
    cure = (
        "describe it in a file and give --family FILE, or as_backbone(model, name, family=…) from "
        "Python; docs/families.md says how"
    )
    first = (
        f"no residual graph is known for model type {model_type!r} of {name!r}"
        f"{nearest(model_type, FAMILIES)}"
    )
    candidates = [] if model is None else candidates_in(model)
    if model is None or not candidates:
        return BackboneError(f"{first}; {cure}")
    lines = [f"  {candidate.describe()}" for candidate in candidates]
    best = max(candidates, key=lambda candidate: candidate.length)
    draft = [f"  {line}" for line in _draft(model, best)]
    return BackboneError(
        "\n".join(
            [
                f"{first}; {type(model).__name__} has these lists of modules:",
                *lines,
                f"{cure}. A draft, to be checked against the block's forward:",
                *draft,
            ]
        )
    )


def candidates_in(model: nn.Module) -> list[Candidate]:
    """Every list of modules that do not lie in another such list, in the model's order."""
    found: list[Candidate] = []
    for path, module in model.named_modules():
        is_inside = any(path.startswith(f"{each.path}.") for each in found)
        if isinstance(module, nn.ModuleList) and len(module) and not is_inside:
            children = tuple(name for name, _ in module[0].named_children())
            found.append(Candidate(path, len(module), type(module[0]).__name__, children))
    return found


def _draft(model: nn.Module, blocks: Candidate) -> list[str]:
    """A family file, guessed from names alone."""
    inputs = str(getattr(model, "main_input_name", "input_ids"))
    attention = next((name for name in blocks.children if "att" in name.lower()), None)
    config = getattr(model, "config", None)
    # Encoders that may become decoders have a cache in their configurations too.
    writes = bool(getattr(config, "use_cache", False) and getattr(config, "is_decoder", True))
    image = inputs == "pixel_values"
    poolings = [Pooling.CLS] if image else [Pooling.LAST] if writes else []
    lines = [
        f"blocks: {blocks.path}",
        f"middle: {attention or 'null'}",
        "holds: update  # or state, where the norm follows the addition",
        f"inputs: {inputs}",
        f"poolings: [{', '.join([*poolings, Pooling.MEAN])}]",
    ]
    return [*lines, "options: {use_cache: false}", "is_causal: true"] if writes else lines
