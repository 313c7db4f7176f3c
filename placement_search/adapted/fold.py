"""A layout folded into the weights that it adapts, so that the bare model gives its states."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from placement_search.adapted.model import AdaptedBackbone
from placement_search.adapted.states import widened
from placement_search.backbones.graph import ResidualGraph
from placement_search.backbones.sublayers import Tap, is_transposed
from placement_search.errors import LayoutError
from placement_search.layout import Connection
from placement_search.modules.contract import InsideModule

TOLERANCE = 1e-4
"""Largest difference, relative to the largest output, that float32 in another order may make."""


@torch.no_grad()
def folded_state(model: AdaptedBackbone) -> dict[str, Tensor]:
    """The backbone's state with the layout in it; the backbone itself stays as it is.

    Loaded into another copy of the backbone's model it gives the hidden states of the adapted one,
    to rounding. The head is no part of it.

    Returns:
        By name all that the state dict of ``backbone.graph.model`` holds.

    Raises:
        LayoutError: Naming the first connection whose module is no change of weights, or whose
            shift has no bias to go to.
    """
    graph = model.backbone.graph
    state = dict(graph.model.state_dict())
    inside: list[tuple[Connection, InsideModule]] = []
    for connection, module in model.wired:
        if not isinstance(module, InsideModule):
            raise LayoutError(
                f"{connection.notation} can't be folded: it adds to a state, and changes no weights"
            )
        inside.append((connection, module))
    given = [(c, module, path) for c, module in inside for path in module.paths]
    # What is read is changed before all that a map does with it, so it is folded after that.
    read = [(c, module, path) for c, module in reversed(inside) for path in module.reads]
    for connection, module, path in (*given, *read):
        state |= _folded(graph, connection, module, path, state)
    return state


def _folded(
    graph: ResidualGraph,
    connection: Connection,
    module: InsideModule,
    path: str,
    state: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """The new weights of one module of the backbone, by their names in the model."""
    tap = Tap(connection.source, path)
    part, name = graph.tappable(tap), graph.tap_name(tap)
    old = {key: state[f"{name}.{key}"] for key in ("weight", "bias") if f"{name}.{key}" in state}
    new = _new(module, path, old, is_turned=is_transposed(part))
    if new is None:
        reason = f"no weights of {name} give what it makes"
    elif new.keys() > old.keys():
        reason = f"{name} has no bias to take its shift"
    elif not _agree(part, module, path, old, new):
        reason = f"{name} does not use its weights as such modules do"
    else:
        return {f"{name}.{key}": tensor.to(old[key].dtype) for key, tensor in new.items()}
    raise LayoutError(f"{connection.notation} can't be folded: {reason}")


def _new(
    module: InsideModule, path: str, old: Mapping[str, Tensor], *, is_turned: bool
) -> dict[str, Tensor] | None:
    """Weights in float32 or wider; None where there are none that could do it."""
    weight = old.get("weight")
    if weight is None or not weight.is_floating_point():
        return None
    bias = widened(old["bias"]) if "bias" in old else None
    made = module.folded(path, widened(weight.T if is_turned else weight), bias)
    if made is None:
        return None
    new = {"weight": made[0].T.contiguous() if is_turned else made[0]}
    return new if made[1] is None else new | {"bias": made[1]}


def _agree(
    part: nn.Module,
    module: InsideModule,
    path: str,
    old: Mapping[str, Tensor],
    new: Mapping[str, Tensor],
) -> bool:
    """Whether the new weights make of random tokens what the adapter makes with the old ones."""
    weight = old["weight"]
    n_in = weight.shape[0] if is_transposed(part) else weight.shape[-1]
    given = torch.randn((1, 8, n_in), generator=torch.Generator().manual_seed(0)).to(new["weight"])
    read = module.reread(path, given)
    alike = copy.deepcopy(part).to(given.dtype)
    before, after = (
        functional_call(alike, {key: each.to(given) for key, each in weights.items()}, (x,))
        for weights, x in ((old, read), (new, given))
    )
    wanted = module.changed(path, read, before)
    return bool((after - wanted).abs().max() <= TOLERANCE * wanted.abs().max())
