"""AdaMix: its size, its routes, and the bottleneck that its copies become."""

from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from placement_search.modules import MODULES, build_modules, parse_layout
from placement_search.modules.adamix import TYPE, AdaMix
from placement_search.places import Place, Places

WIDTH = 12


def states() -> Tensor:
    return torch.randn((3, 5, WIDTH), generator=torch.Generator().manual_seed(0))


def made(seed: int = 1, **given: bool | float) -> AdaMix:
    """A module with random weights in every map."""
    torch.manual_seed(seed)
    module = AdaMix(TYPE.complete(given), Place(WIDTH))
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(parameter.numel()))
    for copies in (module.downs, module.ups):
        for index, parameter in enumerate(copies.parameters()):
            nn.init.normal_(parameter, generator=torch.Generator().manual_seed(index))
    return module


def routes(module: AdaMix, n_passes: int) -> list[tuple[int, int]]:
    """Which copies each of so many passes took, told by what it added."""
    pairs = [(a, b) for a in range(len(module.downs)) for b in range(len(module.ups))]
    known = [module.routed(states(), *pair) for pair in pairs]
    found = []
    for _ in range(n_passes):
        added = module(states())
        (taken,) = [pair for pair, each in zip(pairs, known, strict=True) if each.equal(added)]
        found.append(taken)
    return found


@pytest.mark.parametrize(
    ("rank", "width", "n_layers", "trained", "stored"),
    [(16, 1024, 24, 1_992_192, 811_392), (48, 768, 12, 2_223_360, 894_528)],
)
def test_parameters_are_those_of_the_paper(
    rank: int, width: int, n_layers: int, trained: int, stored: int
) -> None:
    """RoBERTa-large and BERT-base, one in every layer: 1.99 M and 2.22 M trained."""
    adamix, plain = ({"rank": rank, "norm": False} | more for more in ({"experts": 4}, {}))
    bottleneck = MODULES["bottleneck"].type

    assert n_layers * TYPE.count(TYPE.complete(adamix), Place(width)) == trained
    assert n_layers * bottleneck.count(bottleneck.complete(plain), Place(width)) == stored


def test_training_draws_each_copy_alike() -> None:
    """Uniformly, and down maps independently of up maps."""
    taken = Counter(routes(made(experts=2, share_up=False), 400))

    # 100 of 400 for each of four pairs; five standard deviations of a count are 43.
    assert {pair: abs(n - 100) < 43 for pair, n in taken.items()} == {
        (a, b): True for a in range(2) for b in range(2)
    }


def test_one_up_map_serves_all_down_maps() -> None:
    """As in the authors' runs."""
    module = made()

    assert len(module.ups) == 1
    assert {b for _, b in routes(module, 30)} == {0}


def test_a_pass_takes_one_route_for_the_whole_batch() -> None:
    """`routes` would find no pair of copies for a mixture of them."""
    module = made(share_up=False)

    assert len(set(routes(module, 60))) > 10


def test_two_modules_of_a_layout_draw_independently() -> None:
    """Layers take routes of their own, from the layout's seed."""
    layout = parse_layout("1>1:adamix(alike=false)+2>2:adamix(alike=false)")
    drawn = []
    for module in build_modules(layout, Places(WIDTH), 0):
        assert isinstance(module, AdaMix)
        nn.init.normal_(module.ups[0].get_parameter("weight"))
        drawn.append(routes(module, 20))

    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("alike", [True, False])
def test_copies_begin_as_one_draw_or_as_several(alike: bool) -> None:
    """As the authors' class makes them, or as their runs on BERT have them."""
    torch.manual_seed(0)
    first, *others = AdaMix(TYPE.complete({"alike": alike}), Place(WIDTH)).downs

    assert {
        torch.equal(each.get_parameter("weight"), first.get_parameter("weight")) for each in others
    } == {alike}


def test_routes_are_no_weights() -> None:
    """A generator's state is not stored, and says nothing about what was learned."""
    assert {name.split(".")[0] for name in made().state_dict()} == {"norm", "downs", "ups"}


def test_evaluation_takes_the_mean_of_the_copies() -> None:
    """Of their parameters, which is not the mean of what they add."""
    module = made().eval()
    downs = [module.downs[index] for index in range(4)]
    weight, bias = (
        torch.stack([down.get_parameter(name) for down in downs]).mean(0)
        for name in ("weight", "bias")
    )
    inner = nn.functional.gelu(module.norm(states()) @ weight.T + bias)

    torch.testing.assert_close(module(states()), module.ups[0](inner))


def test_routes_can_be_drawn_in_evaluation_to_compare_with() -> None:
    """Random routing at inference is what the paper sets merging against."""
    module = made().eval()
    module.routes_at_inference = True

    assert len(set(routes(module, 30))) == 4


@pytest.mark.parametrize("share_up", [True, False])
@pytest.mark.parametrize("norm", [True, False])
def test_it_is_deployed_as_a_bottleneck_that_adds_the_same(share_up: bool, norm: bool) -> None:
    """Of the same rank, for all that evaluation mode sees."""
    module = made(share_up=share_up, norm=norm, rank=3).eval()
    deployed = module.deployed()
    entry = MODULES[deployed.type]
    plain = entry.build(entry.type.complete(deployed.settings), Place(WIDTH))
    plain.load_state_dict(dict(deployed.weights))

    assert deployed.type == "bottleneck"
    assert torch.equal(plain(states()), module(states()))
