"""What hooks into a model leaves it as it was."""

from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor, nn

from placement_search.backbones.hooks import called_with, forward_replaced


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


def wrapped(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A forward that takes ``quiet`` as well, which its signature does not say."""

    @wraps(forward)
    def outer(self: nn.Module, *args: Tensor, **kwargs: Tensor | bool) -> Tensor:
        kwargs.pop("quiet", None)
        return forward(self, *args, **kwargs)

    return outer


class Masked(nn.Module):
    """Reads ids and a mask."""

    @wrapped
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Their product."""
        return ids if mask is None else ids * mask


def test_tensors_are_seen_by_name_however_they_are_passed() -> None:
    """Models of transformers are called by position, by name, and with what wrappers take."""
    model, seen = Masked(), list[set[str]]()
    one = torch.ones(1)
    with called_with(model, lambda given: seen.append(set(given))):
        model(one, one)
        model(one, mask=one)
        model(ids=one, quiet=True)

    assert seen == [{"ids", "mask"}, {"ids", "mask"}, {"ids"}]
