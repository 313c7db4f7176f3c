"""What hooks into a model leaves it as it was."""

import torch
from torch import nn

from placement_search.backbones.hooks import forward_replaced


def test_a_forward_of_someone_elses_is_put_back() -> None:
    """Tools that speed models up, or spread them, hang theirs where ours goes."""
    plain, patched = nn.Identity(), nn.Identity()
    object.__setattr__(patched, "forward", lambda given: given + 1)
    one = torch.ones(1)
    for module in (plain, patched):
        with forward_replaced(module, lambda given: given * 10):
            assert module(one) == 10

    assert (plain(one), patched(one)) == (1, 2)
    assert "forward" not in vars(plain)
