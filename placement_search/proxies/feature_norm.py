"""Normalised feature norm, after PLoP (Hayou, Ghosh and Yu 2025)."""

import torch
from torch import Tensor


def feature_norm(norms: Tensor) -> Tensor:
    """``1 / √(r_i r_{j-1})`` for the connection (i, j), with ``r_k`` the norm of sub-layer k.

    PLoP puts a LoRA into the modules with the smallest ``r = ‖W z‖ / ‖W z'‖``, z real and z'
    random of the same norm: where it is small, the weights have not aligned with these data yet,
    so there is most to gain. A LoRA in sub-layer k reads node k and changes what is added at node
    k+1, as the parallel connection (k, k+1) does, whose score is ``1 / r_k``. The mapping of the
    others is ours: (i, j) reads what sub-layer i reads and writes where sub-layer j-1 writes, so
    it takes the geometric mean of the two. No sub-layer reads the last node, and none writes to
    node 0: there the other one counts alone, and for the connection from the last node to node 0
    the mean of all. The paper's r belongs to one matrix, ours to a whole sub-layer.

    Cost: two forward passes of a few examples; no labels, no head. So two tasks on the same inputs
    have the same scores, and n² connections are ordered by n - 1 numbers.

    Args:
        norms: See `feature_norms`; shape ``(n_nodes - 1,)``.

    Returns:
        Shape ``(n_nodes, n_nodes)``, above 0, without unit.
    """
    gains = -norms.log()
    unknown = gains.new_full((1,), torch.nan)
    reads, writes = torch.cat([gains, unknown]), torch.cat([unknown, gains])
    both = torch.stack(torch.broadcast_tensors(reads[:, None], writes[None, :]))
    return both.nanmean(0).nan_to_num(nan=float(gains.mean())).exp()
