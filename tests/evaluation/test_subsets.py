"""Parts of a training split: nested, in proportion, and always the same."""

import pytest
import torch

from placement_search.evaluation.subsets import nested_part
from placement_search.tasks.target import Target

CLASSES = torch.randint(0, 5, (900,), generator=torch.Generator().manual_seed(0))
SETS = (torch.rand(300, 4, generator=torch.Generator().manual_seed(1)) < 0.3).float()
NUMBERS = torch.randn(300, generator=torch.Generator().manual_seed(2))
TARGETS = [
    (CLASSES, Target.SINGLE_LABEL),
    (SETS, Target.MULTI_LABEL),
    (NUMBERS, Target.REGRESSION),
]


@pytest.mark.parametrize(("labels", "target"), TARGETS)
def test_a_smaller_part_lies_within_a_larger_one(labels: torch.Tensor, target: Target) -> None:
    """What a trial has learned from on one rung, it meets again on the next."""
    ninth, third, whole = (set(nested_part(labels, target, n).tolist()) for n in (9, 3, 1))

    assert ninth < third < whole == set(range(len(labels)))


@pytest.mark.parametrize(("labels", "target"), TARGETS)
@pytest.mark.parametrize("one_in", [1, 3, 9, 1000])
def test_a_part_has_its_size(labels: torch.Tensor, target: Target, one_in: int) -> None:
    """Rounded up, so that none is empty; no example twice, in rising order."""
    part = nested_part(labels, target, one_in).tolist()

    assert len(part) == -(-len(labels) // one_in)
    assert part == sorted(set(part))


@pytest.mark.parametrize("one_in", [3, 9])
def test_classes_keep_their_shares(one_in: int) -> None:
    """To an example or two each."""
    part = CLASSES[nested_part(CLASSES, Target.SINGLE_LABEL, one_in)]
    wanted = CLASSES.bincount() / one_in

    assert (part.bincount(minlength=5) - wanted).abs().max() <= 2


def test_a_part_is_always_the_same() -> None:
    """It belongs to the split, whatever random numbers were drawn before."""
    first = nested_part(CLASSES, Target.SINGLE_LABEL, 3)
    torch.rand(1)

    assert torch.equal(nested_part(CLASSES, Target.SINGLE_LABEL, 3), first)
