"""``drop``: remove the connections into the lowest targets.

AdapterDrop (Rücklé et al. 2021, arXiv 2010.11918) removes the adapters of the lowest layers of a
trained model: below the lowest adapter left, the pass is the bare backbone's, the same for all
tasks. This is the specialised form, with a fixed number.
"""

from dataclasses import dataclass
from pathlib import Path

from placement_search.errors import OperationError
from placement_search.evaluation.cost import measure_latency_factor, measure_time_ratio
from placement_search.evaluation.score_card import Costs
from placement_search.layout import Connection, Layout
from placement_search.operations.rebuilt import rebuilt
from placement_search.operations.trained import (
    Operation,
    OperationSettings,
    Told,
    Written,
    load_trained,
    nobody,
    train_and_write,
)

N_TIMED, N_PAIRS = 32, 25
"""Examples in a pass that is timed, and pairs of passes."""


def split_lowest(layout: Layout, n_targets: int) -> tuple[Layout, tuple[Connection, ...]]:
    """A layout without the connections into its lowest targets, and those connections.

    Args:
        layout: Any layout.
        n_targets: How many of the nodes that its connections add to, counted from the lowest;
            nodes that none adds to do not count.

    Raises:
        OperationError: If it has none or fewer targets, or ``n_targets`` is below 1.
    """
    targets = layout.targets
    if not targets:
        raise OperationError(
            f"there is nothing to drop in {layout.notation!r}: the layout has no connections, its "
            "head is all there is; name a folder of one that has some"
        )
    if not 1 <= n_targets <= len(targets):
        shown = ", ".join(map(str, targets))
        raise OperationError(
            f"--lowest takes 1 to {len(targets)}, the number of nodes that the layout adds to "
            f"({shown}); got {n_targets}"
        )
    lowest = set(targets[:n_targets])
    kept = tuple(c for c in layout.connections if c.target not in lowest)
    dropped = tuple(c for c in layout.connections if c.target in lowest)
    return Layout(kept, layout.first_pass), dropped


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a drop did.

    Args:
        dropped: The connections that were removed.
        score_before: Validation score of the layout that was read, measured now.
        costs_before: What that costs.
        latency_before: Measured time of one pass relative to the bare backbone's.
        latency_after: The same of the new layout.
        speed_up: Measured time of one pass before over that afterwards, timed in turn.
        written: The new layout.
    """

    dropped: tuple[Connection, ...]
    score_before: float
    costs_before: Costs
    latency_before: float
    latency_after: float
    speed_up: float
    written: Written


def drop_lowest(
    folder: Path, n_targets: int, asked: OperationSettings, told: Told = nobody
) -> Dropped:
    """Remove a trained layout's connections into its lowest targets; the others keep their weights.

    Args:
        folder: Where the layout lies.
        n_targets: See `split_lowest`.
        asked: Where to write to, and how to train on.
        told: Is told how it goes.

    Raises:
        OperationError: If the layout has fewer targets, or the data have changed.
        PlacementSearchError: See `load_trained` and `train_and_write`.
    """
    trained = load_trained(folder, asked, check=lambda file: split_lowest(file.layout(), n_targets))
    left, dropped = split_lowest(trained.model.layout, n_targets)
    model = rebuilt(trained.model, left)
    operation = Operation("drop", {"lowest": n_targets}, [trained.file])
    before = trained.score
    written = train_and_write(trained, model, operation, asked, told)
    inputs = trained.bench.first(N_TIMED)
    return Dropped(
        dropped=dropped,
        score_before=before,
        costs_before=trained.bench.costs_of(trained.model),
        latency_before=measure_latency_factor(trained.model, inputs, repeats=N_PAIRS),
        latency_after=measure_latency_factor(model, inputs, repeats=N_PAIRS),
        speed_up=measure_time_ratio(trained.model, model, inputs, repeats=N_PAIRS),
        written=written,
    )
