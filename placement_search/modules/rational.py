"""The learned activation of Adaptable Adapters (Moosavi et al. 2022): a quotient of polynomials.

Padé activation units (Molina et al. 2020) of order (5, 4) in their safe form, which has no poles:
``(a0 + a1 x + … + a5 x⁵) / (1 + |b1 x + … + b4 x⁴|)``, one for each module, all ten learned.
"""

import torch
from torch import Tensor, nn

# Printed by `python -m scripts.fit_rational`: nearest to GELU, which it follows to 0.004 within ±5.
UPPER = (-0.00246, 0.5, 0.414446, 0.11667, 0.01208, 0.000255)
LOWER = (0.0, 0.233341, 0.0, 0.00051)
N_PARAMETERS = len(UPPER) + len(LOWER)


class Rational(nn.Module):
    """A quotient of polynomials that begins as GELU."""

    def __init__(self) -> None:
        super().__init__()
        self.upper = nn.Parameter(torch.tensor(UPPER))
        self.lower = nn.Parameter(torch.tensor(LOWER))

    def forward(self, states: Tensor) -> Tensor:
        """The activation of each entry; the shape stays."""
        above, below = torch.zeros_like(states), torch.zeros_like(states)
        for factor in self.upper.flip(0):
            above = above * states + factor
        for factor in self.lower.flip(0):
            below = (below + factor) * states
        return above / (1 + below.abs())
