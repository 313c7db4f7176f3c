"""How far two predictions for the same examples are apart, whatever labels are."""

from torch import Tensor
from torch.nn.functional import logsigmoid

from placement_search.tasks.target import Target


def symmetric_divergence(target: Target, first: Tensor, second: Tensor) -> Tensor:
    """Mean over examples of ``(KL(second || first) + KL(first || second)) / 2``.

    AdaMix's consistency (Wang et al. 2022; microsoft/AdaMix), which pulls each prediction towards
    the other as it is: the one that a direction takes as given has no gradient.

    Args:
        target: What labels are. One class: between softmax distributions. Several labels: the
            mean over their Bernoulli distributions, as the loss is the mean over labels. A number:
            the squared difference, that between normal distributions in the unit of the squared
            error, which is twice a normal distribution's with variance 1. The authors' code has
            one class alone.
        first: Logits, shape ``(batch, n_outputs)``.
        second: Of the same shape, for the same examples.

    Returns:
        At least 0 and 0 for equal predictions, without axes; in nats, or as the squared error is.
    """
    directions = _towards(target, first, second.detach()), _towards(target, second, first.detach())
    return (directions[0] + directions[1]).mean() / 2


def _towards(target: Target, moved: Tensor, goal: Tensor) -> Tensor:
    """``KL(goal || moved)`` of each example, shape ``(batch,)``."""
    if target is Target.REGRESSION:
        return (goal[:, 0] - moved[:, 0]).square()
    if target is Target.SINGLE_LABEL:
        wanted, found = goal.log_softmax(1), moved.log_softmax(1)
        return (wanted.exp() * (wanted - found)).sum(1)
    kept = goal.sigmoid() * (logsigmoid(goal) - logsigmoid(moved))
    left = (-goal).sigmoid() * (logsigmoid(-goal) - logsigmoid(-moved))
    return (kept + left).mean(1)
