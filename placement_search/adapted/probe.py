"""The head probe: a linear classifier on the bare backbone's pooled features."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, eq=False)
class ProbedHead:
    """A head fitted with everything else frozen; every trial starts from a copy.

    Args:
        weight: Shape ``(n_classes, width)``.
        bias: Shape ``(n_classes,)``.
    """

    weight: Tensor
    bias: Tensor

    def copy_into(self, head: nn.Linear) -> None:
        """Overwrite the weights of ``head``."""
        with torch.no_grad():
            head.weight.copy_(self.weight)
            head.bias.copy_(self.bias)


def probe_head(features: Tensor, labels: Tensor, n_classes: int) -> ProbedHead:
    """Fit multinomial logistic regression with scikit-learn's default L2 penalty.

    Features are scaled to unit variance for the fit, and the scaling is folded into the weights.
    Classes that ``labels`` do not hold keep zero weights and the lowest bias of the others.

    Args:
        features: Shape ``(n_examples, width)``.
        labels: Integers below ``n_classes``, shape ``(n_examples,)``, at least two different.
        n_classes: Rows of the head.
    """
    mean, std = features.mean(0), features.std(0).clamp_min(1e-6)
    fit = LogisticRegression(max_iter=1000)
    fit.fit(((features - mean) / std).double().numpy(), labels.numpy())
    coefficients, intercepts = fit.coef_, fit.intercept_
    if len(fit.classes_) == 2:
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    weight = torch.zeros(n_classes, features.shape[1])
    bias = torch.full((n_classes,), float(intercepts.min()))
    weight[fit.classes_] = torch.from_numpy(coefficients).float() / std
    bias[fit.classes_] = torch.from_numpy(intercepts).float() - weight[fit.classes_] @ mean
    return ProbedHead(weight, bias)
