"""The tiny attention: PyTorch's attention between two maps, its size, its place and its experts."""

import pytest
import torch
from torch import Tensor, nn

from placement_search.modules import build_modules, count_parameters, parse_layout
from placement_search.modules.tiny_attention import TYPE, TinyAttention
from placement_search.places import Place, Places

WIDTH = 12


def states(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def made(*, is_causal: bool = False, **given: float) -> TinyAttention:
    """A module with random weights in every map."""
    torch.manual_seed(1)
    module = TinyAttention(TYPE.complete(given), Place(WIDTH, is_causal=is_causal))
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module


def theirs(module: TinyAttention, index: int) -> nn.MultiheadAttention:
    """PyTorch's attention with the weights of one expert."""
    expert = module.experts[index]
    into, out = expert.get_submodule("into"), expert.get_submodule("out")
    assert isinstance(into, nn.Linear)
    attention = nn.MultiheadAttention(into.in_features, 1, batch_first=True)
    given = {"in_proj_weight": into.weight, "in_proj_bias": into.bias}
    attention.load_state_dict(given | {f"out_proj.{n}": t for n, t in out.state_dict().items()})
    return attention


@pytest.mark.parametrize("width", [1, 4])
def test_it_is_the_attention_of_pytorch_between_its_maps(width: int) -> None:
    """``W2·MHA(W1·LN(h)+b1)+b2`` as the authors' code has it, padding masked."""
    module, mask = made(width=width), torch.arange(5) < torch.tensor([[5], [3], [1]])
    expert = module.experts[0]
    parts = expert.get_submodule("down")(module.norm(states(3, 5, WIDTH))).chunk(3, dim=-1)
    seen, _ = theirs(module, 0)(*parts, key_padding_mask=~mask)

    expected = expert.get_submodule("up")(seen)
    torch.testing.assert_close(module(states(3, 5, WIDTH), mask)[mask], expected[mask])


def test_experts_add_their_mean() -> None:
    """Each of K adds a K-th of what it would add alone."""
    module = made(heads=3, width=2)
    added = module(states(2, 5, WIDTH))
    experts = list(module.experts)
    alone = []
    for expert in experts:
        module.experts = nn.ModuleList([expert])
        alone.append(module(states(2, 5, WIDTH)))

    torch.testing.assert_close(added, sum(alone) / 3)


def test_a_layer_of_roberta_large_has_the_parameters_of_the_paper() -> None:
    """7,179 in a layer of width 1024 and 172,296 in all 24, the paper's 0.05 % of 355 million."""
    layers = "+".join(f"{node}>{node}:tiny_attention" for node in range(1, 49, 2))

    assert TYPE.count(TYPE.complete({}), Place(1024)) == 7179
    assert count_parameters(parse_layout(layers), Places(1024)) == 172_296


def test_tokens_see_none_after_them_where_the_backbone_is_causal() -> None:
    """What is added to a token stays when later ones change, and does not stay elsewhere."""
    before = states(2, 6, WIDTH)
    after = before.clone()
    after[:, 4:] *= -1
    causal, free = made(is_causal=True), made()

    torch.testing.assert_close(causal(after)[:, :4], causal(before)[:, :4])
    assert not torch.allclose(causal(after)[:, 4:], causal(before)[:, 4:], atol=1e-3)
    assert not torch.allclose(free(after)[:, :4], free(before)[:, :4], atol=1e-3)


def test_a_token_sees_those_before_it() -> None:
    """Attention that mixes no tokens would pass the other tests too."""
    before = states(2, 6, WIDTH)
    after = before.clone()
    after[:, 0] += torch.linspace(-1, 1, WIDTH)
    causal = made(is_causal=True)

    assert not torch.allclose(causal(after)[:, 1:], causal(before)[:, 1:], atol=1e-3)


def test_a_start_scales_the_first_values_of_the_last_map() -> None:
    """0.01 is the authors' start: near zero, not zero."""
    fresh = [
        build_modules(parse_layout(f"1>1:tiny_attention(start={start})"), Places(WIDTH), 0)[0]
        for start in (1.0, 0.01)
    ]
    whole, small = (module(states(2, 5, WIDTH)) for module in fresh)

    assert small.any()
    torch.testing.assert_close(small, 0.01 * whole)


def test_experts_start_apart_by_their_spread() -> None:
    """The authors' experts are one module, and differ by noise in its first map alone."""
    torch.manual_seed(0)
    module = TinyAttention(TYPE.complete({"heads": 2, "width": 8, "spread": 0.1}), Place(64))
    one, other = (expert.state_dict() for expert in module.experts)
    differ = [name for name in one if not torch.equal(one[name], other[name])]

    assert differ == ["down.weight"]
    # A difference of two draws; 24·64 of them, whose standard deviation is off by a fiftieth.
    gap = (one["down.weight"] - other["down.weight"]).std()
    assert gap == pytest.approx(0.1 * 2**0.5, rel=0.1)


def test_one_expert_is_deployed_as_it_is() -> None:
    """There is nothing to average."""
    assert made().deployed() is None


def test_experts_are_deployed_as_one_with_their_mean_parameters() -> None:
    """Two equal ones as what they are, bit by bit; the norm, which they share, as it is."""
    module = made(heads=2, width=3)
    module.experts[1].load_state_dict(module.experts[0].state_dict())
    deployed = module.deployed()
    assert deployed is not None
    one = TinyAttention(TYPE.complete(deployed.settings), Place(WIDTH))
    one.load_state_dict(dict(deployed.weights))

    assert deployed.settings == {"width": 3}
    torch.testing.assert_close(one(states(2, 5, WIDTH)), module(states(2, 5, WIDTH)))
