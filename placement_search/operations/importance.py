"""How much a trained layout needs each of its connections.

Pear (arXiv 2409.19733) prunes by importance; how it measures that could not be read, so these are
our choices, compared in docs/decisions/0024.
"""

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence

import torch

from placement_search.adapted.batches import Batch
from placement_search.adapted.model import AdaptedBackbone
from placement_search.evaluation.evaluate import from_frozen_states
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Connection, Layout
from placement_search.modules.contract import ConnectionModule
from placement_search.operations.rebuilt import rebuilt

Importances = Mapping[Connection, float]
Measure = Callable[[Workbench, AdaptedBackbone, Sequence[Batch]], Importances]

BATCH_SIZE = 64


def measured_batches(bench: Workbench, n_examples: int, seed: int) -> list[Batch]:
    """Training examples to measure on, drawn by a seed.

    Args:
        bench: Whose training split.
        n_examples: How many at least, in whole batches; 0 for all.
        seed: Fixes which ones.
    """
    generator = torch.Generator().manual_seed(seed % 2**64)  # torch takes no larger ones
    batches = bench.train.batches.shuffled(BATCH_SIZE, generator)
    n_batches = -(-n_examples // BATCH_SIZE) if n_examples else len(batches)
    return batches[:n_batches]


def loss_rises(bench: Workbench, model: AdaptedBackbone, batches: Sequence[Batch]) -> Importances:
    """By how much the mean training loss rises, in the task's units, when a connection is off.

    Exact for one connection, blind to those that stand in for each other. It costs a pass over the
    examples for each connection.
    """
    whole = _mean_loss(bench, model, batches)
    return {
        connection: _mean_loss(bench, _without(model, connection), batches) - whole
        for connection in model.layout.connections
    }


def taylor_sizes(bench: Workbench, model: AdaptedBackbone, batches: Sequence[Batch]) -> Importances:
    """First-order estimate of that change: ``|Σ θ·∂L/∂θ|`` over parameters, mean over batches.

    After Molchanov et al. (2019), arXiv 1906.10771, who square it. Per batch, since at the end of
    a training the gradient of all examples together is near zero. One forward and one backward
    pass, whatever the number of connections. What several modules share, as ARC's projection, is
    left out: its gradient is that of all of them. Tied connections are one module, and have its.
    """
    shared = _shared_by_several(model)
    sizes = dict.fromkeys(model.layout.connections, 0.0)
    for batch in batches:
        model.zero_grad()
        (logits,) = from_frozen_states([model], bench.train, [batch])
        bench.task.loss(logits, bench.train.labels[batch.indices]).backward()
        for connection, module in model.wired:
            sizes[connection] += abs(_first_order(module, shared)) / len(batches)
    model.zero_grad()
    return sizes


@torch.no_grad()
def _first_order(module: ConnectionModule, left_out: Container[int]) -> float:
    own = (p for p in module.parameters() if id(p) not in left_out)
    products = [(p * p.grad).sum() for p in own if p.grad is not None]
    return float(torch.stack(products).sum()) if products else 0.0


def _shared_by_several(model: AdaptedBackbone) -> set[int]:
    """Ids of the parameters that more than one module has."""
    modules = {id(module): module for _, module in model.wired}.values()
    owners = Counter(id(parameter) for module in modules for parameter in module.parameters())
    return {parameter for parameter, n_owners in owners.items() if n_owners > 1}


MEASURES: Mapping[str, Measure] = {"loss-rise": loss_rises, "taylor": taylor_sizes}


def _without(model: AdaptedBackbone, connection: Connection) -> AdaptedBackbone:
    layout = model.layout
    kept = tuple(c for c in layout.connections if c != connection)
    return rebuilt(model, Layout(kept, layout.first_pass))


@torch.no_grad()
def _mean_loss(bench: Workbench, model: AdaptedBackbone, batches: Sequence[Batch]) -> float:
    total = 0.0
    for batch in batches:
        (logits,) = from_frozen_states([model], bench.train, [batch])
        labels = bench.train.labels[batch.indices]
        total += float(bench.task.loss(logits, labels, reduction="sum"))
    return total / sum(map(len, batches))
