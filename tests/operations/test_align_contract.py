"""What every module type that declares hidden units promises to an alignment, over the table."""

import pytest
import torch
from torch import Tensor, nn

from placement_search.layout import ModuleSpec, make_module
from placement_search.module_type import Settings
from placement_search.modules import MODULE_TYPES, MODULES, build_module
from placement_search.modules.contract import ConnectionModule, Deployed, InsideModule
from placement_search.operations.align import PLANS, aligned
from placement_search.places import Linear, Place, SubLayer
from tests.modules.test_contract import variants

WIDTH = 16
MLP = SubLayer(
    0, "mlp",
    (Linear("up", WIDTH, 24, has_bias=True), Linear("down", 24, WIDTH, has_bias=True)), "norm",
)  # fmt: skip
ATTENTION = SubLayer(
    0, "attention",
    (Linear("q", WIDTH, WIDTH, has_bias=True), Linear("o", 24, WIDTH, has_bias=True)), "norm",
)  # fmt: skip
CAUSAL = {"causal": True, "not causal": False}


def place_of(spec: ModuleSpec, *, is_causal: bool = False) -> Place:
    sublayer = MLP if spec.type == "adapter_bias" else ATTENTION
    return Place(WIDTH, sublayer=sublayer, is_causal=is_causal)


def made(spec: ModuleSpec, seed: int = 0, *, is_causal: bool = False) -> ConnectionModule:
    """A module as after a training; of one seed also what it draws is the same."""
    torch.manual_seed(0)
    module = build_module(spec, place_of(spec, is_causal=is_causal))
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=generator)
    return module


ALL = [spec for entry in MODULES.values() for spec in variants(entry.type)]
ALL += [
    make_module(MODULE_TYPES, name, {"gate": True, **more}, "a test")
    for name, more in (("adamix", {"rank": 5}), ("tiny_attention", {"width": 4, "heads": 3}))
]
ALL.append(make_module(MODULE_TYPES, "tiny_attention", {"width": 5}, "a test"))
SPECS = [spec for spec in sorted(set(ALL)) if made(spec).hidden_layers()]


def n_units(module: ConnectionModule) -> int:
    """Of its first hidden layer."""
    units = module.hidden_layers()[0][0]
    return module.get_parameter(units.name).shape[units.axis] // units.n_parts


@pytest.fixture(params=SPECS, ids=lambda spec: spec.notation)
def spec(request: pytest.FixtureRequest) -> ModuleSpec:
    """Each type and setting with hidden units."""
    chosen: ModuleSpec = request.param
    return chosen


@torch.no_grad()
def renumber(module: ConnectionModule) -> None:
    """Put the units of each hidden layer into an order of their own."""
    generator = torch.Generator().manual_seed(7)
    for layer in module.hidden_layers():
        order: Tensor | None = None
        for name, axis, part, n_parts in layer:
            units = module.get_parameter(name).chunk(n_parts)[part].movedim(axis, 0)
            order = torch.randperm(len(units), generator=generator) if order is None else order
            units.copy_(units[order].clone())


def pair(spec: ModuleSpec, *, is_causal: bool = False) -> tuple[ConnectionModule, ConnectionModule]:
    """A module, and the same with its units in another order."""
    one, other = made(spec, is_causal=is_causal), made(spec, is_causal=is_causal)
    renumber(other)
    return one, other


@torch.no_grad()
def given_by(module: ConnectionModule) -> Tensor:
    """What it computes, for made-up states, on all of its paths."""
    generator = torch.Generator().manual_seed(1)
    if not isinstance(module, InsideModule):
        added: Tensor = module(torch.randn((3, 5, WIDTH), generator=generator))
        return added
    linears = {linear.path: linear for linear in ATTENTION.linears}
    return torch.stack([
        module.changed(
            path,
            torch.randn((3, 5, linears[path].n_in), generator=generator),
            torch.zeros(3, 5, linears[path].n_out),
        )
        for path in module.paths
    ])  # fmt: skip


@pytest.mark.parametrize("is_causal", CAUSAL.values(), ids=CAUSAL)
def test_units_trade_places_without_a_change(spec: ModuleSpec, is_causal: bool) -> None:
    """In evaluation and in training, whatever it draws there."""
    one, other = pair(spec, is_causal=is_causal)

    torch.testing.assert_close(given_by(other.eval()), given_by(one.eval()), rtol=1e-4, atol=1e-4)
    for _ in range(12):
        ours, theirs = given_by(one.train()), given_by(other.train())
        torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-4)


def test_what_is_deployed_does_not_change_either(spec: ModuleSpec) -> None:
    """Copies whose mean is shipped keep one order."""
    one, other = (each.deployed() for each in pair(spec))
    if one is None or other is None:
        assert one is other
        return

    def shipped(deployed: Deployed) -> ConnectionModule:
        made = make_module(MODULE_TYPES, deployed.type, deployed.settings, "a test")
        module = build_module(made, place_of(made))
        module.load_state_dict(dict(deployed.weights))
        return module.eval()

    ours, theirs = (given_by(shipped(each)) for each in (one, other))
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-4)


def test_a_permuted_copy_merges_to_what_it_is(spec: ModuleSpec) -> None:
    """Exactly, weight by weight; the one that is aligned stays as it was."""
    one, other = pair(spec)
    before = {name: p.detach().clone() for name, p in other.named_parameters()}
    weights = aligned(other, one, PLANS["permutation"])

    assert all(torch.equal(weights[n].float(), p) for n, p in one.named_parameters())
    assert all(torch.equal(before[n], p) for n, p in other.named_parameters())


@torch.no_grad()
def test_weights_between_hidden_layers_do_not_mislead() -> None:
    """Before the other layer is in order they say nothing, however large they are."""
    spec = make_module(MODULE_TYPES, "tiny_attention", {"width": 6}, "a test")
    one, other = made(spec), made(spec)
    for each in (one, other):
        for name in ("into.weight", "out.weight"):
            each.get_parameter(f"experts.0.{name}").mul_(100)
    renumber(other)
    weights = aligned(other, one, PLANS["permutation"])

    assert all(torch.equal(weights[n].float(), p) for n, p in one.named_parameters())


@pytest.mark.parametrize(
    "spec", [spec for spec in SPECS if n_units(made(spec)) > 1], ids=lambda spec: spec.notation
)
@torch.no_grad()
def test_their_plain_average_is_another_function(spec: ModuleSpec) -> None:
    """Where a module has more than one unit there is something to align."""
    one, other = pair(spec)
    mean = made(spec)
    for name, parameter in mean.named_parameters():
        parameter.copy_((one.get_parameter(name) + other.get_parameter(name)) / 2)

    assert not torch.allclose(given_by(mean.eval()), given_by(one.eval()), atol=0.1)


def test_the_types_of_two_maps_have_units() -> None:
    """Those whose first map makes what the second one reads."""
    assert {spec.type for spec in SPECS} >= {"adamix", "bottleneck", "lora", "tiny_attention"}


@pytest.mark.parametrize(
    "spec", [spec for spec in ALL if spec not in SPECS], ids=lambda spec: spec.notation
)
def test_the_others_say_why_they_are_averaged_as_they_stand(spec: ModuleSpec) -> None:
    """They have no hidden units, or share them with other connections."""
    assert made(spec).unaligned()


@pytest.mark.parametrize("options", [{}, {"gate": True}], ids=["alone", "gated"])
@pytest.mark.parametrize("name", ["adamix", "bottleneck", "lora", "tiny_attention"])
def test_masked_units_stay(name: str, options: Settings) -> None:
    """Each keeps entries of its own."""
    settings: Settings = {"mask": "random", "kept": 0.5, **options}
    module = made(make_module(MODULE_TYPES, name, settings, "a test"))

    assert not module.hidden_layers()
    assert module.unaligned() == "its mask keeps other entries of each unit"
