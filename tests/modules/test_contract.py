"""What every module on states promises, over the whole table and several settings of each."""

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
    distinct_state,
    parse_layout,
)
from placement_search.modules.contract import is_random
from placement_search.modules.options import OPTIONS
from placement_search.modules.tied import TIED
from placement_search.places import Place, Places

WIDTHS = (5, 16)


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
    """The defaults, each of its own settings changed alone, and all of them together."""
    own = {name: s for name, s in module_type.settings.items() if name not in {*OPTIONS, TIED}}
    others = {name: other_values(setting) for name, setting in own.items()}
    alone = [{name: value} for name, values in others.items() for value in values]
    together = {name: values[-1] for name, values in others.items() if values}
    return [
        make_module(MODULE_TYPES, module_type.name, given, "a test")
        for given in ({}, *alone, together)
    ]


STATE_TYPES = [entry.type for entry in MODULES.values() if not entry.type.is_inside]
SPECS = [spec for module_type in STATE_TYPES for spec in variants(module_type)]
SPECS += [make_module(MODULE_TYPES, kind.name, {TIED: 1}, "a test") for kind in STATE_TYPES]
IS_ZERO = [spec for spec in SPECS if not spec.settings.get("start")]
"""Those that say nothing of a start; one that is not zero is what the user asked for."""
EVERY_PLACE = 40
"""Training passes after which a module that draws its parts has drawn each of up to seven."""


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


@pytest.mark.parametrize("spec", IS_ZERO, ids=lambda spec: spec.notation)
@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_fresh_module_adds_exactly_zero(spec: ModuleSpec, width: int, is_training: bool) -> None:
    """A freshly attached layout leaves the backbone's numbers as they are, bit by bit."""
    added = fresh(spec, width).train(is_training)(10 * states(3, 7, width))

    assert torch.equal(added, torch.zeros(3, 7, width))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_formula_counts_the_real_parameters(spec: ModuleSpec, width: int) -> None:
    """Budgets are checked by formula before anything is built."""
    n_real = sum(parameter.numel() for parameter in fresh(spec, width).parameters())

    assert count_parameters(Layout((Connection(1, 2, spec),)), Places(width)) == n_real


@pytest.mark.parametrize("shape", [(1, 1, 16), (3, 7, 16), (0, 7, 16)])
@pytest.mark.parametrize("is_masked", [True, False])
def test_the_addition_has_the_shape_of_the_states(
    spec: ModuleSpec, shape: tuple[int, ...], is_masked: bool
) -> None:
    """One token, batches of many, and none at all."""
    mask = torch.ones(shape[:2], dtype=torch.bool) if is_masked else None

    assert trained(spec, 16)(states(*shape), mask).shape == shape


def test_padding_changes_nothing_for_real_tokens(spec: ModuleSpec) -> None:
    """Whatever stands behind the real tokens, and before them, and however much of it."""
    module, real = trained(spec, 16).eval(), states(3, 4, 16)
    filled = torch.cat([100 * states(3, 2, 16), real, -100 * states(3, 5, 16)], dim=1)
    mask = torch.tensor([False] * 2 + [True] * 4 + [False] * 5).expand(3, -1)
    added = module(filled, mask)

    # A longer row is summed in another order.
    torch.testing.assert_close(added[:, 2:6], module(real), rtol=1e-4, atol=1e-4)
    assert torch.isfinite(added).all()


def test_gradients_are_finite_though_nothing_but_padding_is_seen(spec: ModuleSpec) -> None:
    """On a causal backbone a text that is padded on the left begins with tokens that see none."""
    layout = Layout((Connection(1, 2, spec),))
    (module,) = build_modules(layout, Places(16, is_causal=True), 0)
    mask = torch.tensor([[False, False, True, True]])
    module(states(1, 4, 16), mask)[mask].square().sum().backward()

    assert all(torch.isfinite(p.grad).all() for p in module.parameters() if p.grad is not None)


def test_a_first_gradient_reaches_a_fresh_module(spec: ModuleSpec) -> None:
    """Zero at the start is no dead end: something moves at the first step."""
    module = fresh(spec, 16)
    (module(states(3, 7, 16)) * states(3, 7, 16)).sum().backward()
    gradients = [p.grad for p in module.parameters() if p.grad is not None]

    assert any(gradient.any() for gradient in gradients)


def test_gradients_reach_every_parameter_once_something_is_written(spec: ModuleSpec) -> None:
    """No parameter is counted, kept and never trained."""
    module = trained(spec, 16)
    for _ in range(EVERY_PLACE):
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
    module, again = trained(spec, 16).eval(), fresh(spec, 16, seed=9).eval()
    save_file(module.state_dict(), tmp_path / "weights.safetensors")
    again.load_state_dict(load_file(tmp_path / "weights.safetensors"))

    assert torch.equal(again(states(3, 7, 16)), module(states(3, 7, 16)))


def test_a_seed_fixes_the_weights(spec: ModuleSpec) -> None:
    """The same seed gives the same module, another one another."""
    one, same, other = (fresh(spec, 16, seed).state_dict() for seed in (3, 3, 4))

    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_a_seed_fixes_what_is_drawn(spec: ModuleSpec) -> None:
    """Pass after pass in training, whatever others draw from the global generator meanwhile."""
    one, same = (fresh(spec, 16, seed=3) for _ in range(2))
    for module in (one, same):
        for name, parameter in module.named_parameters():
            nn.init.normal_(parameter, generator=torch.Generator().manual_seed(len(name)))
    passes = [one(states(3, 7, 16)) for _ in range(5)]
    torch.rand(7)

    assert all(torch.equal(same(states(3, 7, 16)), added) for added in passes)


def test_passes_differ_where_a_module_says_so(spec: ModuleSpec) -> None:
    """In training they are what consistency compares; in evaluation they never do."""
    module = trained(spec, 16)
    passes = [module(states(3, 7, 16)) for _ in range(EVERY_PLACE)]
    module.eval()

    assert is_random(module) == any(not torch.equal(passes[0], other) for other in passes)
    assert torch.equal(module(states(3, 7, 16)), module(states(3, 7, 16)))


def test_building_leaves_the_global_random_state_alone(spec: ModuleSpec) -> None:
    """Who builds modules does not change what is drawn next."""
    before = torch.random.get_rng_state()
    fresh(spec, 16, seed=5)

    assert torch.equal(torch.random.get_rng_state(), before)


def test_building_seeds_no_accelerator(spec: ModuleSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their generators are the user's, and nothing is drawn there; ROCm's are called so too."""
    seeds: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    build_modules(Layout((Connection(1, 2, spec),)), Places(16), seed=7)

    assert seeds == []


def test_modules_compute_in_float32_on_the_cpu(spec: ModuleSpec) -> None:
    """What the layout file stores and what the docstring says."""
    tensors = [*build_module(spec, Place(16)).state_dict().values()]
    numbers = [t for t in tensors if t.dtype is not torch.bool]

    assert {(t.dtype, t.device.type) for t in numbers} == {(torch.float32, "cpu")}


def test_what_is_shared_is_counted_built_and_stored_once(spec: ModuleSpec) -> None:
    """Three connections of one type and settings, by formula, by tensors and on disk."""
    layout = Layout((Connection(1, 2, spec), Connection(3, 3, spec), Connection(0, 4, spec)))
    modules = nn.ModuleList(build_modules(layout, Places(16), 0))
    n_counted = count_parameters(layout, Places(16))

    assert sum(parameter.numel() for parameter in modules.parameters()) == n_counted
    assert sum(tensor.numel() for tensor in distinct_state(modules).values()) == n_counted


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
