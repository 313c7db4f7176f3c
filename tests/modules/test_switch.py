"""Switches: drawn for each example while they learn, decided afterwards."""

import torch
from torch import Tensor, nn

from placement_search.modules.bottleneck import TYPE, Bottleneck
from placement_search.modules.contract import InsideModule
from placement_search.modules.switch import Switch, SwitchedInside, SwitchedState, switched
from placement_search.places import Place


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
