"""How far two predictions are apart."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Normal, kl_divergence
from torch.nn.functional import kl_div, log_softmax, softmax

from placement_search.tasks.divergence import symmetric_divergence
from placement_search.tasks.target import Target

TARGETS = pytest.mark.parametrize("target", list(Target))


def logits(target: Target, seed: int, scale: float = 2.0) -> Tensor:
    n_outputs = 1 if target is Target.REGRESSION else 4
    return scale * torch.randn((6, n_outputs), generator=torch.Generator().manual_seed(seed))


def distribution(target: Target, given: Tensor) -> Distribution:
    if target is Target.SINGLE_LABEL:
        return Categorical(logits=given)
    if target is Target.MULTI_LABEL:
        return Bernoulli(logits=given)
    # The squared error is twice minus the logarithm of a density with variance 1.
    return Normal(given * 2**0.5, 1.0)


def on_paper(target: Target, first: Tensor, second: Tensor) -> Tensor:
    """Both directions by torch's own divergences, in the unit of the task's loss."""
    ours, theirs = (distribution(target, each) for each in (first, second))
    both = kl_divergence(ours, theirs) + kl_divergence(theirs, ours)
    return both.reshape(len(first), -1).mean() / 2


@TARGETS
def test_it_is_the_mean_of_both_directions(target: Target) -> None:
    """For one class, for several labels and for numbers."""
    first, second = logits(target, 0), logits(target, 1)

    torch.testing.assert_close(
        symmetric_divergence(target, first, second), on_paper(target, first, second)
    )


def test_for_classes_it_is_what_the_authors_compute() -> None:
    """``batchmean`` of torch's ``kl_div`` in both directions, halved."""
    first, second = (logits(Target.SINGLE_LABEL, seed) for seed in (0, 1))
    theirs = kl_div(log_softmax(first, -1), softmax(second, -1), reduction="batchmean")
    theirs += kl_div(log_softmax(second, -1), softmax(first, -1), reduction="batchmean")

    ours = symmetric_divergence(Target.SINGLE_LABEL, first, second)
    torch.testing.assert_close(ours, theirs / 2)


@pytest.mark.parametrize("n_labels", [1, 3, 28])
def test_it_does_not_grow_with_the_number_of_labels(n_labels: int) -> None:
    """Labels with the same logits are as far apart as one of them, as their loss is one's."""
    first, second = (logits(Target.REGRESSION, seed) for seed in (0, 1))
    several = [each.expand(-1, n_labels) for each in (first, second)]

    torch.testing.assert_close(
        symmetric_divergence(Target.MULTI_LABEL, *several),
        symmetric_divergence(Target.MULTI_LABEL, first, second),
    )


@TARGETS
def test_equal_predictions_are_not_apart(target: Target) -> None:
    """Exactly, and others are, the same whichever comes first."""
    first, second = logits(target, 0), logits(target, 1)

    assert symmetric_divergence(target, first, first) == 0
    assert symmetric_divergence(target, first, second) > 0
    assert symmetric_divergence(target, first, second) == symmetric_divergence(
        target, second, first
    )


@TARGETS
def test_each_prediction_is_pulled_towards_the_other_as_it_is(target: Target) -> None:
    """The gradient of one is that of the direction in which the other is given, and no more."""
    first, second = logits(target, 0).requires_grad_(), logits(target, 1)
    (ours,) = torch.autograd.grad(symmetric_divergence(target, first, second), first)
    moved, goal = first, second
    if target is Target.SINGLE_LABEL:
        expected = (softmax(moved, 1) - softmax(goal, 1)) / (2 * 6)
    elif target is Target.MULTI_LABEL:
        expected = (moved.sigmoid() - goal.sigmoid()) / (2 * 6 * 4)
    else:
        expected = (moved - goal) / 6

    torch.testing.assert_close(ours, expected.detach())


@TARGETS
def test_certain_predictions_stay_finite(target: Target) -> None:
    """Logits of a hundred are common where a head was probed."""
    value = symmetric_divergence(target, logits(target, 0, 200.0), logits(target, 1, 200.0))

    assert torch.isfinite(value)
