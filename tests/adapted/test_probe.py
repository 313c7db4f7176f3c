import pytest
import torch

from placement_search.adapted.probe import probe_head
from placement_search.errors import BackboneError
from placement_search.tasks.target import Target


def test_one_example_gives_a_head_without_weights() -> None:
    """It has no deviation to scale by, and nothing to tell apart; the head stays finite."""
    head = probe_head(torch.randn(1, 4), torch.ones(1, 3), Target.MULTI_LABEL, 3)

    assert torch.isfinite(head.bias).all()
    assert not head.weight.any()


@pytest.mark.parametrize("target", list(Target))
@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_states_that_are_not_finite_are_the_backbones_fault(broken: float, target: Target) -> None:
    """Whatever is fitted; scikit-learn would tell of its own input, as if of a bug."""
    features = torch.randn(6, 4)
    features[2, 3] = broken
    labels = torch.tensor([0, 1] * 3)
    if target is Target.MULTI_LABEL:
        labels = torch.stack([labels, 1 - labels], 1).float()

    with pytest.raises(BackboneError, match=r"those of 1 of 6 .*--dtype float32"):
        probe_head(features, labels, target, 2)
