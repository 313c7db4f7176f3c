"""Weights under the names of the layout file, and logits that tell whether they arrived."""

from collections.abc import Mapping

import torch
from torch import Tensor

from placement_search.adapted.model import AdaptedBackbone
from placement_search.errors import ExportError
from placement_search.modules import distinct_state

CHECK_SEED = 0
N_CHECKED = 4
"""Made-up inputs whose logits a layout file holds."""

OURS, STORED = "adapters.", "connection."
"""Prefix of a connection's weights in the model and in the file."""


def weights_of(model: AdaptedBackbone) -> dict[str, Tensor]:
    """Weights by file name: ``connection.<index>.…`` for the adapters, ``head.…`` for the head."""
    return {
        name.replace(OURS, STORED, 1) if name.startswith(OURS) else name: tensor
        for name, tensor in distinct_state(model).items()
    }


def put_weights(model: AdaptedBackbone, weights: Mapping[str, Tensor]) -> None:
    """Copy weights by file name into the model.

    Raises:
        ExportError: Naming every weight that is missing, unknown or of another shape; the model
            is unchanged then.
    """
    wanted = weights_of(model)
    problems = [f"{name} is missing" for name in sorted(wanted.keys() - weights.keys())]
    problems += [f"{name} is unknown" for name in sorted(weights.keys() - wanted.keys())]
    problems += [
        f"{name} has shape {tuple(weights[name].shape)}, the layout needs {tuple(tensor.shape)}"
        for name, tensor in sorted(wanted.items())
        if name in weights and weights[name].shape != tensor.shape
    ]
    problems += [
        f"{name} keeps {int(weights[name].sum())} entries and not {len(weights[kept])}"
        for name in sorted(wanted)
        if name.rpartition(".")[2] == "mask" and not problems
        for kept in (f"{name.removesuffix('mask')}kept",)
        if kept in weights and int(weights[name].sum()) != len(weights[kept])
    ]
    if problems:
        raise ExportError("the weights do not fit the layout file: " + "; ".join(problems))
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(weights[name])


@torch.no_grad()
def check_logits(model: AdaptedBackbone, seed: int) -> Tensor:
    """Logits on made-up inputs, shape ``(N_CHECKED, n_outputs)``, on the CPU."""
    logits: Tensor = model(model.backbone.made_up_inputs(N_CHECKED, seed))
    return logits.cpu()
