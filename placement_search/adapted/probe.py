"""The head probe: a linear model fitted on the bare backbone's pooled features."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor, nn

from placement_search.errors import BackboneError
from placement_search.tasks.target import Target

MAX_ITERATIONS = 1000
"""Of L-BFGS; features are scaled to unit variance, so it seldom needs a tenth."""

_CONSTANT = 1e-6
"""A feature whose standard deviation is no larger does not vary."""


@dataclass(frozen=True, slots=True, eq=False)
class ProbedHead:
    """A head fitted with everything else frozen; every trial starts from a copy.

    Args:
        weight: Shape ``(n_outputs, width)``, float32, on the CPU.
        bias: Shape ``(n_outputs,)``.
    """

    weight: Tensor
    bias: Tensor

    def copy_into(self, head: nn.Linear) -> None:
        """Overwrite the weights of ``head``."""
        with torch.no_grad():
            head.weight.copy_(self.weight)
            head.bias.copy_(self.bias)

    def logits(self, features: Tensor) -> Tensor:
        """What the head gives for features of shape ``(n, width)``: shape ``(n, n_outputs)``."""
        weight, bias = self.weight.to(features.device), self.bias.to(features.device)
        return features @ weight.T + bias


def probe_head(features: Tensor, labels: Tensor, target: Target, n_outputs: int) -> ProbedHead:
    """Fit scikit-learn's linear model for this kind of target, with its default L2 penalty.

    Multinomial logistic regression for single labels, one logistic regression for each of several
    labels, ridge regression for numbers. Features are scaled to unit variance for the fit, and
    the scaling is folded into the weights.

    Args:
        features: Shape ``(n_examples, width)``.
        labels: As `Examples` holds them; single labels name at least two different classes.
        target: What labels are.
        n_outputs: Rows of the head.

    Raises:
        BackboneError: If a feature is not finite.
    """
    known = features.detach().cpu().double().numpy()  # not every accelerator has doubles
    _check_finite(known)
    # One example has no deviation, and nothing that a fit could tell apart.
    mean, std = known.mean(0), np.maximum(known.std(0, ddof=min(1, len(known) - 1)), _CONSTANT)
    weight, bias = _FITS[target]((known - mean) / std, labels.cpu().numpy(), n_outputs)
    weight = weight / std
    bias = bias - weight @ mean
    return ProbedHead(torch.from_numpy(weight).float(), torch.from_numpy(bias).float())


def random_head(features: Tensor, n_outputs: int, seed: int) -> ProbedHead:
    """A head of random directions that knows no labels; its logits vary by about 1.

    Channels that do not vary get no weight.

    Args:
        features: Shape ``(n_examples, width)``, at least two examples; their mean and standard
            deviation fix the scale.
        n_outputs: Rows of the head.
        seed: Fixes the directions.
    """
    known = features.detach().cpu().double()
    std, mean = torch.std_mean(known, 0)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn((n_outputs, len(std)), generator=generator, dtype=torch.float64)
    weight = torch.where(std > _CONSTANT, drawn / (std * len(std) ** 0.5), 0.0)
    return ProbedHead(weight.float(), -(weight @ mean).float())


def _check_finite(features: np.ndarray) -> None:
    n_broken = int((~np.isfinite(features).all(1)).sum())
    if n_broken:
        raise BackboneError(
            f"the backbone's states must be finite, and those of {n_broken} of {len(features)} "
            "training examples are not: its weights are damaged, or they overflow in this dtype; "
            "take another checkpoint with --model, or --dtype float32"
        )


Fitted = tuple[np.ndarray, np.ndarray]
"""Weights of shape ``(n_outputs, width)`` and biases of shape ``(n_outputs,)``."""


def _fit_classes(features: np.ndarray, labels: np.ndarray, n_outputs: int) -> Fitted:
    """Classes that ``labels`` do not hold keep zero weights and the lowest bias of the others."""
    fit = LogisticRegression(max_iter=MAX_ITERATIONS).fit(features, labels)
    coefficients, intercepts = fit.coef_, fit.intercept_
    if len(fit.classes_) == 2:
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    weight = np.zeros((n_outputs, features.shape[1]))
    bias = np.full(n_outputs, intercepts.min())
    weight[fit.classes_] = coefficients
    bias[fit.classes_] = intercepts
    return weight, bias


def _fit_labels(features: np.ndarray, labels: np.ndarray, n_outputs: int) -> Fitted:
    """A label that all examples have, or none, has no boundary: its bias says how sure that is."""
    weight, bias = np.zeros((n_outputs, features.shape[1])), np.empty(n_outputs)
    for index, is_set in enumerate(labels.T > 0):
        if is_set.all() or not is_set.any():
            odds = (is_set.sum() + 1) / ((~is_set).sum() + 1)
            bias[index] = np.log(odds)
            continue
        fit = LogisticRegression(max_iter=MAX_ITERATIONS).fit(features, is_set)
        weight[index], bias[index] = fit.coef_[0], fit.intercept_[0]
    return weight, bias


def _fit_numbers(features: np.ndarray, labels: np.ndarray, _n_outputs: int) -> Fitted:
    fit = Ridge().fit(features, labels)
    return fit.coef_[None], np.array([fit.intercept_])


_FITS: Mapping[Target, Callable[[np.ndarray, np.ndarray, int], Fitted]] = {
    Target.SINGLE_LABEL: _fit_classes,
    Target.MULTI_LABEL: _fit_labels,
    Target.REGRESSION: _fit_numbers,
}
