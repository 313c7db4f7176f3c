"""Connections that train all at once, each behind a switch that learns whether to keep it."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from placement_search.evaluation.evaluate import Evaluation, fresh_model, new_population
from placement_search.evaluation.workbench import Workbench
from placement_search.modules.switch import Switch, switched

LEARNING_RATE = 0.05
"""Of switches, as in Adaptable Adapters; all else trains by the plan's."""


@dataclass(frozen=True, slots=True)
class TrainedSwitches:
    """What switches have learned.

    Args:
        keep: Of each connection, in the layout's order, the probability that it is kept.
        score: Validation score at the end, with those kept that a switch keeps.
        n_steps: Optimizer steps taken.
        seconds: Time spent.
    """

    keep: tuple[float, ...]
    score: float
    n_steps: int
    seconds: float


def train_switches(
    bench: Workbench, request: Evaluation, report: Callable[[int, float], None]
) -> TrainedSwitches:
    """Train a layout with a switch for each of its connections; its weights are forgotten.

    Args:
        bench: Backbone and data.
        request: The layout of all candidates, the seed and the plan; the rest is not read.
        report: Is told each report, from 1, with its validation score.

    Raises:
        LayoutError: If the layout reaches beyond the backbone's last node.
        EvaluationError: If a loss or a score is not finite.
    """
    model = fresh_model(bench, request)
    speed = LEARNING_RATE / request.plan.learning_rate
    switches = [Switch(request.seed + number, speed) for number in range(len(model.adapters))]
    device = bench.backbone.device
    model.adapters = nn.ModuleList(
        switched(module, switch).to(device)
        for (_, module), switch in zip(model.wired, switches, strict=True)
    )
    population = new_population(bench)
    member = population.join(model, request.plan, request.seed)
    population.run_out(member, report)
    keep = tuple(switch.keep for switch in switches)
    return TrainedSwitches(keep, member.history[-1], member.n_steps, member.seconds)
