"""The choice of an attention kernel: by device, dtype and length alone."""

import pytest
import torch
from torch.nn.attention import SDPBackend, _cur_sdpa_kernel_backends
from torch.nn.functional import scaled_dot_product_attention

from placement_search.backbones.attention import PLAIN_UP_TO, fast_attention


@pytest.mark.parametrize("dtype", PLAIN_UP_TO)
def test_short_sequences_get_plain_products(dtype: torch.dtype) -> None:
    """Up to the limit of the dtype, and no longer after the block."""
    device, limit = torch.device("cpu"), PLAIN_UP_TO[dtype]
    before = _cur_sdpa_kernel_backends()
    with fast_attention(device, dtype, limit):
        short = _cur_sdpa_kernel_backends()
    with fast_attention(device, dtype, limit + 1):
        long = _cur_sdpa_kernel_backends()

    assert short == [SDPBackend.MATH]
    assert long == before == _cur_sdpa_kernel_backends()


@pytest.mark.parametrize(
    ("device", "dtype", "n_tokens"),
    [("cuda", torch.float32, 8), ("cpu", torch.float64, 8)],
)
def test_elsewhere_torch_chooses(device: str, dtype: torch.dtype, n_tokens: int) -> None:
    """On other devices, and in dtypes without a rule."""
    before = _cur_sdpa_kernel_backends()
    with fast_attention(torch.device(device), dtype, n_tokens):
        assert _cur_sdpa_kernel_backends() == before


def test_kernels_agree() -> None:
    """To rounding, masked too."""
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 9, 8).unbind()
    mask = torch.ones(2, 1, 9, 9, dtype=torch.bool)
    mask[1, ..., 5:] = False
    expected = scaled_dot_product_attention(query, key, value, attn_mask=mask)
    with fast_attention(torch.device("cpu"), torch.float32, 9):
        found = scaled_dot_product_attention(query, key, value, attn_mask=mask)

    torch.testing.assert_close(found, expected)
