"""``prune``: keep the most important connections, and let them work at the places of the others.

Pear (arXiv 2409.19733): some adapters of a trained model are pruned, the more important ones that
are left are shared with the pruned positions, which so keep adapting at no further parameter, and
the whole is trained on. Its knowledge checkpoint is left out.
"""

from dataclasses import dataclass
from pathlib import Path

from placement_search.errors import OperationError, nearest
from placement_search.evaluation.score_card import Costs
from placement_search.export.layout_file import LayoutFile
from placement_search.layout import Connection
from placement_search.module_type import Scalar
from placement_search.operations.importance import MEASURES, Importances, measured_batches
from placement_search.operations.rebuilt import rebuilt
from placement_search.operations.sharing import most_important, with_sharing, without_sharing
from placement_search.operations.trained import (
    Operation,
    OperationSettings,
    Told,
    Written,
    load_trained,
    nobody,
    train_and_write,
)
from placement_search.space.budget import parse_budget


@dataclass(frozen=True, slots=True)
class PruneSettings:
    """How to prune.

    Args:
        max_params: A count, or a share of the backbone such as ``0.5%``.
        is_shared: Whether kept modules work at the pruned places too.
        importance: A measure of `MEASURES`.
        n_examples: Training examples that it is measured on; 0 for all.
    """

    max_params: str
    is_shared: bool = True
    importance: str = "loss-rise"
    n_examples: int = 1024

    def limit(self, n_backbone: int) -> int:
        """Most parameters, on a backbone of so many.

        Raises:
            SpaceError: If ``max_params`` is no budget.
        """
        return parse_budget(self.max_params, n_backbone).max_parameters or 0

    def check(self, file: LayoutFile) -> None:
        """Check them, and that a layout is over the budget.

        Raises:
            OperationError: If the measure is unknown, or there is nothing to prune.
            SpaceError: If ``max_params`` is no budget.
        """
        if self.importance not in MEASURES:
            raise OperationError(
                f"there is no importance {self.importance!r}" + nearest(self.importance, MEASURES)
            )
        limit, held = self.limit(file.backbone.n_parameters), file.costs.n_adapter_parameters
        if held <= limit:
            raise OperationError(
                f"the layout has {held:,} parameters and --max-params {self.max_params} allows "
                f"{limit:,}: there is nothing to prune; ask for fewer"
            )


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What a pruning did.

    Args:
        importances: Of every connection of the layout that was read.
        kept: Those that stayed.
        donors: By a pruned one the kept one whose module works there now.
        score_before: Validation score of the layout that was read, measured now.
        costs_before: What that costs.
        written: The new layout.
    """

    importances: Importances
    kept: tuple[Connection, ...]
    donors: dict[Connection, Connection]
    score_before: float
    costs_before: Costs
    written: Written


def prune_layout(
    folder: Path, settings: PruneSettings, asked: OperationSettings, told: Told = nobody
) -> PruneResult:
    """Prune a trained layout to a budget.

    Args:
        folder: Where the layout lies.
        settings: How.
        asked: Where to write to, and how to train on.
        told: Is told how it goes.

    Raises:
        OperationError: If there is nothing to prune, nothing would be left, or the data changed.
        SpaceError: If the budget is none.
        PlacementSearchError: See `load_trained` and `train_and_write`.
    """
    trained = load_trained(folder, asked, check=settings.check)
    model, bench, layout = trained.model, trained.bench, trained.model.layout
    batches = measured_batches(bench, settings.n_examples, asked.seed)
    importances = MEASURES[settings.importance](bench, model, batches)
    limit = settings.limit(bench.backbone.facts.n_parameters)
    kept = most_important(layout, importances, limit, bench.backbone.places)
    told(f"{len(kept)} of {len(layout.connections)} connections stay")
    pruned = (
        with_sharing(layout, kept, importances)
        if settings.is_shared
        else without_sharing(kept, layout.first_pass)
    )
    said: dict[str, Scalar] = {
        "max_params": settings.max_params,
        "share": settings.is_shared,
        "importance": settings.importance,
        "examples": settings.n_examples,
    }
    operation = Operation("prune", said, [trained.file])
    changed = rebuilt(model, pruned.layout, pruned.origins)
    return PruneResult(
        importances=importances,
        kept=kept,
        donors=pruned.donors,
        score_before=trained.score,
        costs_before=bench.costs_of(model),
        written=train_and_write(trained, changed, operation, asked, told),
    )
