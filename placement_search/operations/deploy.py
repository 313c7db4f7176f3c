"""``deploy``: copies that only training needs are averaged into one module each.

AdaMix (Wang et al. 2022, arXiv 2205.12410) and tiny attention (Zhao et al. 2022, arXiv 2211.01979)
train several copies of a module and ship the one with their mean weights; see `deployed_layout`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from placement_search.adapted.deployed import deployed_layout
from placement_search.adapted.model import AdaptedBackbone
from placement_search.errors import OperationError
from placement_search.evaluation.score_card import Costs
from placement_search.export.check import CHECK_SEED, check_logits
from placement_search.layout import Connection
from placement_search.operations.trained import (
    Operation,
    OperationSettings,
    Told,
    Written,
    load_trained,
    nobody,
    train_and_write,
)
from placement_search.tasks.target import Target


@dataclass(frozen=True, slots=True)
class DeployResult:
    """What a deployment did.

    Args:
        undeployed: Connections whose copies stay copies, with the reason.
        score_before: Validation score of the layout that was read, measured now.
        costs_before: What that costs.
        logit_change: Largest absolute change of a logit on the check inputs, in the units of an
            exported layout.
        largest_logit: The largest absolute logit there before.
        written: The new layout.
    """

    undeployed: Mapping[Connection, str]
    score_before: float
    costs_before: Costs
    logit_change: float
    largest_logit: float
    written: Written


def deploy_layout(folder: Path, asked: OperationSettings, told: Told = nobody) -> DeployResult:
    """Average the copies that a trained layout's modules hold into one module each.

    Args:
        folder: Where the layout lies.
        asked: Where to write to; with no epochs, as by default, the weights are the mean itself.
        told: Is told how it goes.

    Raises:
        OperationError: If no module holds copies that can be averaged, or the data have changed.
        LayoutError: If two modules between the same nodes become ones of one type.
        PlacementSearchError: See `load_trained` and `train_and_write`.
    """
    trained = load_trained(folder, asked)
    undeployed = {c: why for c, module in trained.model.wired if (why := module.undeployed())}
    model = deployed_layout(trained.model)
    if model.layout == trained.model.layout:
        raise OperationError(_nothing_to_average(trained.model, undeployed))
    before = check_logits(trained.model, CHECK_SEED)
    change = check_logits(model, CHECK_SEED) - before
    task = trained.bench.task
    mean, std = task.scale if task.target is Target.REGRESSION else (0.0, 1.0)
    return DeployResult(
        undeployed=undeployed,
        score_before=trained.score,
        costs_before=trained.bench.costs_of(trained.model),
        logit_change=std * float(change.abs().max()),
        largest_logit=float((std * before + mean).abs().max()),
        written=train_and_write(
            trained, model, Operation("deploy", {}, [trained.file]), asked, told
        ),
    )


def _nothing_to_average(model: AdaptedBackbone, undeployed: Mapping[Connection, str]) -> str:
    reasons = "".join(f"; {c.notation} stays as it is: {why}" for c, why in undeployed.items())
    return (
        "deploy takes layouts with adamix, or tiny_attention of several heads, without a mask; "
        f"there is nothing to average in {model.layout.notation}{reasons}"
    )
