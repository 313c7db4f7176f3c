"""Fit the start of the rational activation; ``python -m scripts.fit_rational`` prints it."""

import argparse

import torch
from torch import Tensor
from torch.nn import functional

N_UPPER, N_LOWER = 6, 4
"""Coefficients: of x⁰ to x⁵, and of x¹ to x⁴."""
SPAN, N_POINTS, N_ROUNDS = 5.0, 2001, 50


def fitted() -> tuple[list[float], list[float]]:
    """Upper and lower coefficients of ``P / (1 + Q)`` nearest to GELU by least squares.

    ``P - GELU · Q = GELU`` is linear in the coefficients; each round weighs the points by the
    ``1 + Q`` of the round before (Sanathanan and Koerner 1963), so that in the end the error itself
    is small. ``Q`` comes out positive, so that ``|Q|`` is ``Q``.
    """
    points = torch.linspace(-SPAN, SPAN, N_POINTS, dtype=torch.float64)
    wanted = functional.gelu(points)
    upper = torch.stack([points**k for k in range(N_UPPER)], 1)
    lower = torch.stack([points**k for k in range(1, N_LOWER + 1)], 1)
    system = torch.cat([upper, -wanted[:, None] * lower], 1)
    weights = torch.ones_like(points)
    for _ in range(N_ROUNDS):
        solution = _solved(system / weights[:, None], wanted / weights)
        weights = 1 + lower @ solution[N_UPPER:]
    return solution[:N_UPPER].tolist(), solution[N_UPPER:].tolist()


def _solved(system: Tensor, wanted: Tensor) -> Tensor:
    solution: Tensor = torch.linalg.lstsq(system, wanted[:, None]).solution[:, 0]
    return solution


def main() -> None:
    """Print both."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for coefficients in fitted():
        print(tuple(round(value, 6) for value in coefficients))


if __name__ == "__main__":
    main()
