"""What every module type promises, over the whole table and several settings of each."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from placement_search.layout import Connection, Layout, ModuleSpec, make_module
from placement_search.module_type import ModuleType, Scalar, Setting
from placement_search.modules import (
    MODULE_TYPES,
    MODULES,
    build_module,
    build_modules,
    count_parameters,
    parse_layout,
)
from placement_search.places import Place, Places

WIDTHS = (5, 16, 64)


def other_values(setting: Setting) -> list[Scalar]:
    """Legal values beside the default."""
    if setting.choices:
        return [value for value in setting.choices if value != setting.default]
    if isinstance(setting.default, bool):
        return [not setting.default]
    if isinstance(setting.default, int):
        return [int(setting.minimum or 1), setting.default + 3]
    return [0.5] if isinstance(setting.default, float) else []


def variants(module_type: ModuleType) -> list[ModuleSpec]:
    """The defaults, each setting changed alone, and all changed together."""
    others = {name: other_values(setting) for name, setting in module_type.settings.items()}
    alone = [{name: value} for name, values in others.items() for value in values]
    together = {name: values[-1] for name, values in others.items() if values}
    return [
        make_module(MODULE_TYPES, module_type.name, given, "a test")
        for given in ({}, *alone, together)
    ]


SPECS = [spec for entry in MODULES.values() for spec in variants(entry.type)]


@pytest.fixture(params=SPECS, ids=lambda spec: spec.notation)
def spec(request: pytest.FixtureRequest) -> ModuleSpec:
    """Each type with each of its variants in turn."""
    chosen: ModuleSpec = request.param
    return chosen


def states(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def fresh(spec: ModuleSpec, width: int, seed: int = 0) -> nn.Module:
    layout = Layout((Connection(1, 2, spec),))
    return build_modules(layout, Places(width), seed)[0]


def trained(spec: ModuleSpec, width: int) -> nn.Module:
    """A module whose every parameter has been moved."""
    module = fresh(spec, width)
    generator = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=generator)
    return module


def test_the_table_and_the_types_use_one_name() -> None:
    """What files call a type is what the type calls itself."""
    assert {name: entry.type.name for name, entry in MODULES.items()} == {n: n for n in MODULES}


@pytest.mark.parametrize("width", WIDTHS)
def test_a_fresh_module_adds_exactly_zero(spec: ModuleSpec, width: int) -> None:
    """A freshly attached layout leaves the backbone's numbers as they are, bit by bit."""
    added = fresh(spec, width)(10 * states(3, 7, width))

    assert torch.equal(added, torch.zeros(3, 7, width))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_formula_counts_the_real_parameters(spec: ModuleSpec, width: int) -> None:
    """Budgets are checked by formula before anything is built."""
    n_real = sum(parameter.numel() for parameter in fresh(spec, width).parameters())

    assert count_parameters(Layout((Connection(1, 2, spec),)), Places(width)) == n_real


@pytest.mark.parametrize("shape", [(16,), (7, 16), (3, 7, 16), (0, 7, 16)])
def test_the_addition_has_the_shape_of_the_states(spec: ModuleSpec, shape: tuple[int, ...]) -> None:
    """One token, many, batches of them, and none at all."""
    assert trained(spec, 16)(states(*shape)).shape == shape


def test_a_first_gradient_reaches_a_fresh_module(spec: ModuleSpec) -> None:
    """Zero at the start is no dead end: something moves at the first step."""
    module = fresh(spec, 16)
    (module(states(3, 7, 16)) * states(3, 7, 16)).sum().backward()
    gradients = [p.grad for p in module.parameters() if p.grad is not None]

    assert any(gradient.any() for gradient in gradients)


def test_gradients_reach_every_parameter_once_something_is_written(spec: ModuleSpec) -> None:
    """No parameter is counted, kept and never trained."""
    module = trained(spec, 16)
    module(states(3, 7, 16)).square().sum().backward()

    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def test_gradients_flow_through_to_the_states(spec: ModuleSpec) -> None:
    """Connections below learn from the ones above."""
    below = states(3, 7, 16).requires_grad_()
    trained(spec, 16)(below).square().sum().backward()

    assert below.grad is not None
    assert below.grad.any()


def test_saved_weights_give_the_same_additions(spec: ModuleSpec, tmp_path: Path) -> None:
    """Settings and weights are all that a module is: no state stays behind."""
    module, again = trained(spec, 16), fresh(spec, 16, seed=9)
    save_file(module.state_dict(), tmp_path / "weights.safetensors")
    again.load_state_dict(load_file(tmp_path / "weights.safetensors"))

    assert torch.equal(again(states(3, 7, 16)), module(states(3, 7, 16)))


def test_a_seed_fixes_the_weights(spec: ModuleSpec) -> None:
    """The same seed gives the same module, another one another."""
    one, same, other = (fresh(spec, 16, seed).state_dict() for seed in (3, 3, 4))

    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_building_leaves_the_global_random_state_alone(spec: ModuleSpec) -> None:
    """Who builds modules does not change what is drawn next."""
    before = torch.random.get_rng_state()
    fresh(spec, 16, seed=5)

    assert torch.equal(torch.random.get_rng_state(), before)


def test_modules_compute_in_float32_on_the_cpu(spec: ModuleSpec) -> None:
    """What the layout file stores and what the docstring says."""
    tensors = [*build_module(spec, Place(16)).state_dict().values()]
    numbers = [t for t in tensors if t.dtype is not torch.bool]

    assert {(t.dtype, t.device.type) for t in numbers} == {(torch.float32, "cpu")}


def test_a_layouts_modules_come_in_its_order_and_differ() -> None:
    """Connections of one type do not start from the same weights."""
    layout = parse_layout("9>3:bottleneck(rank=2)+1>2:bottleneck(rank=4)+1>5:bottleneck(rank=4)")
    downs = [
        module.get_parameter("down.weight") for module in build_modules(layout, Places(16), seed=0)
    ]

    assert [down.shape[0] for down in downs] == [4, 4, 2]
    assert not torch.equal(downs[0], downs[1])


def test_parameters_of_a_layout_are_the_sum_over_its_connections() -> None:
    """Nothing is shared, and the head is left out."""
    one = parse_layout("3>9:bottleneck(rank=8)")
    two = parse_layout("3>9:bottleneck(rank=8)+20>4:bottleneck(rank=4)")

    # 2·64·r + r + 64 + 2·64, the formula of the type.
    assert count_parameters(one, Places(64)) == 1224
    assert count_parameters(two, Places(64)) == 1224 + 708
    assert count_parameters(Layout(), Places(64)) == 0
