import torch

from placement_search.adapted.probe import probe_head
from placement_search.tasks.target import Target


def test_one_example_gives_a_head_without_weights() -> None:
    """It has no deviation to scale by, and nothing to tell apart; the head stays finite."""
    head = probe_head(torch.randn(1, 4), torch.ones(1, 3), Target.MULTI_LABEL, 3)

    assert torch.isfinite(head.bias).all()
    assert not head.weight.any()
