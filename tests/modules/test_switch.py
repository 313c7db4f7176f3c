"""Switches: drawn for each example while they learn, decided afterwards."""

from functools import cache
from itertools import count

import pytest
import torch
from torch import Tensor, nn

from placement_search.adapted.batches import batch_of
from placement_search.adapted.frozen import frozen_states
from placement_search.adapted.model import AdaptedBackbone, needed_nodes
from placement_search.backbones.loading import Backbone
from placement_search.modules import parse_layout
from placement_search.modules.bottleneck import TYPE, Bottleneck
from placement_search.modules.contract import InsideModule
from placement_search.modules.switch import Switch, SwitchedInside, SwitchedState, switched
from placement_search.places import Place
from tests.tiny_backbones import tiny_bert

TEXTS = (
    "0>1:lora(rank=2)+2>3:lora(linears=output,rank=2)",
    "1>2:adapter_bias+3>4:adapter_bias",
    "0>1:hadamard",
    "0>1:lora(gate=true,rank=2)+1>2:adapter_bias(kept=0.5,mask=random)",
    "1>4:bottleneck(rank=2)+1>2:adapter_bias",
)
"""Layouts that switches are put around."""
every_layout = pytest.mark.parametrize("text", TEXTS)


class Doubled(InsideModule):
    """Doubles what two maps give."""

    paths = ("q", "v")

    def changed(self, path: str, given: Tensor, output: Tensor) -> Tensor:
        """See `InsideModule`."""
        del path, given
        return 2 * output


def set_to(switch: Switch, drop: float, keep: float) -> Switch:
    with torch.no_grad():
        switch.logits.copy_(torch.tensor([drop, keep]))
    return switch


def written() -> Bottleneck:
    """A bottleneck that adds one everywhere."""
    module = Bottleneck(TYPE.complete({}), Place(4))
    nn.init.ones_(module.up.bias)
    return module


def test_examples_are_on_as_often_as_the_logits_say() -> None:
    """The Gumbel-softmax draws from the softmax of the logits, nearly 0 or 1 at its temperature."""
    switch = set_to(Switch(seed=0), 0.0, 1.0)
    drawn = switch(20_000).flatten()

    assert abs((drawn > 0.5).float().mean() - switch.keep) < 0.01
    assert ((drawn < 0.05) | (drawn > 0.95)).float().mean() > 0.8


def test_gradients_reach_the_logits_through_the_draw() -> None:
    """Where more of the addition is better, keeping becomes more probable."""
    module = switched(written(), Switch(seed=0))
    assert isinstance(module, SwitchedState)
    module(torch.zeros(64, 3, 4)).sum().backward()
    gradient = module.switch.logits.grad

    assert gradient is not None
    assert gradient[1] > 0 > gradient[0]


def test_the_larger_logit_decides_after_training() -> None:
    """Wholly on or wholly off, for all examples alike."""
    states = torch.zeros(8, 3, 4)
    on, off = (
        SwitchedState(written(), set_to(Switch(seed=0), *logits)).eval()(states)
        for logits in ((0.0, 0.1), (0.1, 0.0))
    )

    assert torch.equal(on, torch.ones(8, 3, 4))
    assert torch.equal(off, torch.zeros(8, 3, 4))


def test_one_draw_serves_all_maps_of_a_sub_layer_in_a_run() -> None:
    """An example has the module in all of its maps or in none, at every call; another run draws."""
    module = switched(Doubled(), Switch(seed=0))
    assert isinstance(module, SwitchedInside)
    ones = torch.ones(16, 2, 3)
    runs = [module.drawn(16) for _ in range(2)]
    first, second = ([run.changed(path, ones, ones) for path in ("v", "q", "v")] for run in runs)

    assert all(torch.equal(each, first[0]) for each in first)
    assert all(torch.equal(each, second[0]) for each in second)
    assert not torch.equal(first[0], second[0])
    assert torch.equal(module.eval().drawn(16).changed("q", ones, ones), 2 * ones)


def test_a_draw_serves_every_call_of_a_run() -> None:
    """A state module that a run calls twice is on for the same examples."""
    module = switched(written(), Switch(seed=0))
    run, other = module.drawn(64), module.drawn(64)
    states = torch.zeros(64, 3, 4)
    first = run(states)

    assert torch.equal(run(states), first)
    assert not torch.equal(other(states), first)


def test_a_seed_fixes_what_is_drawn_and_nothing_else_moves() -> None:
    """The global random state stays as it was."""
    before = torch.random.get_rng_state()
    one, same, other = (Switch(seed)(32) for seed in (1, 1, 2))

    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_speed_is_that_of_the_logits() -> None:
    """A step of the parameters is as many times larger in what they mean."""
    slow, fast = set_to(Switch(0), 0.0, 2.0), set_to(Switch(0, speed=4.0), 0.0, 0.5)

    assert slow.keep == fast.keep


@cache
def bert() -> Backbone:
    return tiny_bert()


def padded(n_padded: int = 7) -> dict[str, Tensor]:
    """Four texts, the first of which ends early."""
    inputs = bert().made_up_inputs(4, seed=0)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    inputs["attention_mask"][0, inputs["input_ids"].shape[1] - n_padded :] = 0
    return inputs


def plain(text: str, *, is_trained: bool = True) -> AdaptedBackbone:
    """A layout with a random head, in evaluation; trained, every parameter has been moved."""
    model = AdaptedBackbone(bert(), parse_layout(text), n_outputs=3, seed=0).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if is_trained or name.startswith("head"):
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return model


def behind_switches(text: str, *, keep: float = 0.0, is_trained: bool = True) -> AdaptedBackbone:
    """The same with each of its modules behind a switch, in training."""
    model, seeds = plain(text, is_trained=is_trained), count()
    model.adapters = nn.ModuleList(
        switched(module, set_to(Switch(next(seeds)), 0.0, keep)) for _, module in model.wired
    )
    return model.train()


@every_layout
def test_on_is_the_module_and_off_is_the_bare_backbone(text: str) -> None:
    """After training; on to the rounding of one subtraction, off bit by bit."""
    on, off = (behind_switches(text, keep=keep).eval() for keep in (1.0, -1.0))
    whole, bare = plain(text), plain("none")
    bare.head = off.head

    torch.testing.assert_close(on(padded()), whole(padded()))
    assert torch.equal(off(padded()), bare(padded()))
    assert not torch.allclose(on(padded()), off(padded()), atol=1e-2)


@every_layout
@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_fresh_layout_behind_switches_changes_no_bit(
    text: str, is_training: bool, dtype: torch.dtype
) -> None:
    """However far its modules are on."""
    backbone = tiny_bert()
    backbone.graph.model.to(dtype)
    model, bare = behind_switches(text, is_trained=False), plain("none", is_trained=False)
    model.backbone = bare.backbone = backbone
    bare.head = model.head

    assert torch.equal(model.train(is_training)(padded()), bare(padded()))


@every_layout
def test_frozen_states_and_a_full_pass_draw_the_same(text: str) -> None:
    """In training, over several passes."""
    full, cached = behind_switches(text), behind_switches(text)
    inputs = padded()
    nodes = needed_nodes(cached.layout, bert().graph)
    batch = batch_of(inputs, torch.arange(4))
    states = frozen_states(bert(), inputs, 10**9).batch(batch, nodes)
    logits = [full(inputs) for _ in range(3)]

    torch.testing.assert_close(
        [cached(inputs, states) for _ in range(3)], logits, rtol=1e-4, atol=1e-5
    )
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)


@every_layout
def test_padding_changes_nothing_behind_a_switch(text: str) -> None:
    """A text alone has the logits of the same text padded, with the same draws."""
    long = {name: tensor[:1] for name, tensor in padded().items()}
    short = {name: tensor[:, :-7] for name, tensor in long.items()}
    one, other = behind_switches(text), behind_switches(text)

    for _ in range(3):
        torch.testing.assert_close(one(long), other(short), rtol=1e-3, atol=1e-4)


@every_layout
def test_gradients_reach_every_switch_and_what_is_behind_it(text: str) -> None:
    """So both are trained together."""
    model = behind_switches(text)
    for _ in range(5):
        model(padded()).square().sum().backward()

    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name
