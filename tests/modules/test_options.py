"""Gate and mask on every module type of the table: what they promise whatever they are put on."""

from pathlib import Path
from typing import cast

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from placement_search.errors import LayoutError
from placement_search.layout import Connection, Layout, ModuleSpec, make_module
from placement_search.module_type import ModuleType, Scalar, Settings
from placement_search.modules import (
    MODULE_TYPES,
    MODULES,
    build_module,
    build_modules,
    check_places,
    count_parameters,
    parse_layout,
)
from placement_search.modules.bottleneck import Bottleneck
from placement_search.modules.contract import ConnectionModule, InsideModule, StateModule
from placement_search.modules.entry import ModuleEntry
from placement_search.modules.mask import KeptEntries
from placement_search.modules.options import OPTIONS, with_options
from placement_search.places import Linear, Place, Places, SubLayer

WIDTH = 16
MLP = SubLayer(
    0, "MLP",
    (Linear("up", WIDTH, 32, has_bias=True), Linear("down", 32, WIDTH, has_bias=True)), None,
)  # fmt: skip
SUBLAYER = SubLayer(
    0, "attention",
    (
        Linear("q", WIDTH, WIDTH, has_bias=True, is_first=True),
        Linear("o", 24, WIDTH, has_bias=True),
    ),
    "norm",
)  # fmt: skip
PLACES = Places(WIDTH, sublayers=(MLP, SUBLAYER))
PLACE = PLACES.at(1, 2)
PAIRS = ((1, 2), (0, 1))
"""Around attention, and around the MLP for what fits there alone."""
GIVEN: tuple[dict[str, Scalar], ...] = (
    {"gate": True},
    *({"mask": rule, "kept": 0.3} for rule in ("random", "magnitude", "snip")),
    {"gate": True, "mask": "random", "kept": 0.5},
)


class LowRank(InsideModule):
    """A module inside a sub-layer: a rank-2 update of what ``q`` and ``o`` give."""

    def __init__(self, _settings: Settings, place: Place) -> None:
        super().__init__()
        assert place.sublayer is not None
        linears = place.sublayer.linears
        self.paths = tuple(linear.path for linear in linears)
        self.downs = nn.ParameterDict({a.path: torch.randn(a.n_in, 2) for a in linears})
        self.ups = nn.ParameterDict({a.path: torch.zeros(2, a.n_out) for a in linears})

    def changed(self, path: str, given: Tensor, output: Tensor) -> Tensor:
        """See `InsideModule`."""
        changed: Tensor = output + given @ self.downs[path] @ self.ups[path]
        return changed


class Shared(StateModule):
    """A state module whose down map is that of the first of its kind."""

    def __init__(self, _settings: Settings, place: Place) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(place.width, 2))
        self.up = nn.Parameter(torch.zeros(2, place.width))

    def share_with(self, first: ConnectionModule) -> None:
        """See `ConnectionModule`."""
        self.down = cast("Shared", first).down

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `StateModule`."""
        del mask
        return states @ self.down @ self.up


class Bias(StateModule):
    """A state module without matrices."""

    def __init__(self, _settings: Settings, place: Place) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(place.width))

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `StateModule`."""
        del mask
        return states * self.bias


def entry_of(name: str, build: type[ConnectionModule]) -> ModuleEntry:
    """A made-up type, with its options."""
    counts = {
        "low_rank": 2 * (WIDTH + WIDTH) + 2 * (24 + WIDTH),
        "shared": 2 * WIDTH,
        "bias": WIDTH,
    }
    plain = ModuleType(
        name=name, settings={}, count=lambda _settings, _place: counts[name],
        count_shared=lambda _settings, width: 2 * width if name == "shared" else 0,
        is_inside=name == "low_rank",
    )  # fmt: skip
    return with_options({name: ModuleEntry(plain, build)})[name]


LOW_RANK = entry_of("low_rank", LowRank)
SHARED = entry_of("shared", Shared)
BIAS = entry_of("bias", Bias)
SPECS = [
    make_module(MODULE_TYPES, name, given, "a test")
    for name, entry in MODULES.items()
    for given in GIVEN
    if not all(entry.type.misfit(entry.type.complete(given), PLACES.at(*pair)) for pair in PAIRS)
]


@pytest.fixture(params=SPECS, ids=lambda spec: spec.notation)
def spec(request: pytest.FixtureRequest) -> ModuleSpec:
    """Each type of the table with each option, where it can have it."""
    chosen: ModuleSpec = request.param
    return chosen


def around(spec: ModuleSpec) -> Layout:
    """A connection around the first sub-layer that the module fits."""
    kind = MODULE_TYPES[spec.type]
    settings = kind.complete(spec.settings)
    pair = next(pair for pair in PAIRS if not kind.misfit(settings, PLACES.at(*pair)))
    return Layout((Connection(*pair, spec),))


def fresh(spec: ModuleSpec, seed: int = 0) -> ConnectionModule:
    return build_modules(around(spec), PLACES, seed)[0]


def trained(spec: ModuleSpec) -> ConnectionModule:
    """A module whose every parameter has been moved."""
    module, generator = fresh(spec), torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=generator)
    return module


def entries_of(model: nn.Module) -> list[KeptEntries]:
    return [m for m in model.modules() if isinstance(m, KeptEntries)]


def states(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def done(module: ConnectionModule, given: Tensor, mask: Tensor | None = None) -> Tensor:
    """What a module adds, or by how much it changes what its maps give, put side by side."""
    if isinstance(module, StateModule):
        added: Tensor = module(given, mask)
        return added
    assert isinstance(module, InsideModule)
    widths = {linear.path: linear.n_in for linear in (*SUBLAYER.linears, *MLP.linears)}
    changes = []
    for path in module.paths:
        read = given.repeat(1, 1, 2)[..., : widths.get(path, WIDTH)]
        changes.append(module.changed(path, read, given) - given)
    changes += [module.reread(path, given) - given for path in module.reads]
    return torch.cat(changes, -1)


def test_the_table_is_covered() -> None:
    """Every type can be gated, and options are settings of every type."""
    assert {spec.type for spec in SPECS if "gate" in spec.settings} == set(MODULES)
    assert all(entry.type.settings.keys() >= OPTIONS.keys() for entry in MODULES.values())


def test_options_at_their_defaults_change_no_id() -> None:
    """Layouts of earlier studies and files are still called what they were called."""
    layout = parse_layout("3>9:bottleneck(rank=8)+20>4:bottleneck(rank=4)")
    said = parse_layout(
        "3>9:bottleneck(rank=8,gate=false,mask=none,kept=1)+20>4:bottleneck(rank=4)"
    )

    assert layout.id == "4fde08250e9e"
    assert said == layout


def test_options_at_their_defaults_change_no_module() -> None:
    """The same class, with the same names and values of weights."""
    spec = make_module(MODULE_TYPES, "bottleneck", {}, "a test")

    assert type(build_module(spec, PLACE)) is Bottleneck


def test_a_fresh_module_with_options_does_exactly_nothing(spec: ModuleSpec) -> None:
    """Where the type itself adds zero at the start, it does so gated and masked."""
    plain = make_module(MODULE_TYPES, spec.type, {}, "a test")
    if not done(fresh(plain), states(3, 7, WIDTH)).any():
        assert not done(fresh(spec), states(3, 7, WIDTH)).any()


def test_the_count_is_what_is_built(spec: ModuleSpec) -> None:
    """Only what is trained is a parameter."""
    n_built = sum(parameter.numel() for parameter in fresh(spec).parameters())

    assert count_parameters(around(spec), PLACES) == n_built


def test_saved_weights_give_the_same_numbers(spec: ModuleSpec, tmp_path: Path) -> None:
    """What was kept is saved with its values, and wins over what was drawn."""
    module, again = trained(spec), fresh(spec, seed=9)
    save_file(module.state_dict(), tmp_path / "weights.safetensors")
    again.load_state_dict(load_file(tmp_path / "weights.safetensors"))

    assert torch.equal(done(again, states(3, 7, WIDTH)), done(module, states(3, 7, WIDTH)))
    assert not any(entries.is_waiting for entries in entries_of(again))


def test_a_seed_fixes_weights_and_mask(spec: ModuleSpec) -> None:
    """The same seed gives the same module, another one another."""
    one, same, other = (fresh(spec, seed).state_dict() for seed in (3, 3, 4))

    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "spec", [s for s in SPECS if "mask" in s.settings], ids=lambda spec: spec.notation
)
def test_what_is_masked_stays_zero_while_the_rest_trains(spec: ModuleSpec) -> None:
    """Steps, momentum and weight decay move kept entries alone."""
    module = trained(spec)
    (entry,) = entries_of(module)
    before = entry.dense().detach().clone()
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        done(module, states(3, 7, WIDTH)).square().sum().backward()
        optimizer.step()
    after = entry.dense().detach()

    assert not before[~entry.mask].any()
    assert not after[~entry.mask].any()
    assert (after != before)[entry.mask].all()


@pytest.mark.parametrize("given", GIVEN)
def test_modules_inside_a_sub_layer_have_options_too(given: dict[str, Scalar]) -> None:
    """A gate for each map with as many weights as it reads channels; nothing changes at first."""
    settings = LOW_RANK.type.complete(given)
    module = LOW_RANK.build(settings, PLACE)
    kept = sum(p.numel() for p in module.parameters())

    assert isinstance(module, InsideModule)
    assert LOW_RANK.type.count(settings, PLACE) == kept
    assert not done(module, states(3, 7, WIDTH)).any()


def test_a_gate_inside_is_a_gate_for_each_token() -> None:
    """``output + g · (changed - output)``, with ``g`` = ``sigmoid(w·x + b)``."""
    module = LOW_RANK.build(LOW_RANK.type.complete({"gate": True}), PLACE)
    assert isinstance(module, InsideModule)
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(2))
    x, y = states(3, 7, 24), states(3, 7, WIDTH)
    inner, gate = cast("LowRank", module.inner), cast("nn.ModuleList", module.gates)[1]
    expected = y + torch.sigmoid(gate(x)) * (inner.changed("o", x, y) - y)

    torch.testing.assert_close(module.changed("o", x, y), expected)
    assert LOW_RANK.type.count(LOW_RANK.type.complete({"gate": True}), PLACE) == (
        LOW_RANK.type.count(LOW_RANK.type.complete({}), PLACE) + WIDTH + 1 + 24 + 1
    )


def test_what_is_shared_is_not_masked() -> None:
    """One mask could not serve all who share; and sharing still works behind options."""
    settings = SHARED.type.complete({"mask": "random", "kept": 0.25, "gate": True})
    one, other = (SHARED.build(settings, PLACE) for _ in range(2))
    other.share_with(one)
    shared = {id(p) for p in one.parameters()} & {id(p) for p in other.parameters()}
    own = sum(p.numel() for p in other.parameters() if id(p) not in shared)

    assert len(shared) == 1
    assert own == SHARED.type.count(settings, PLACE) == 2 * WIDTH // 4 + WIDTH + 1
    assert SHARED.type.count_shared(settings, WIDTH) == 2 * WIDTH


@pytest.mark.parametrize(
    ("module_type", "given", "reason"),
    [
        (MODULE_TYPES["bottleneck"], {"kept": 0.5}, "by no mask"),
        (MODULE_TYPES["hadamard"], {"mask": "random", "kept": 0.5}, "has no matrices"),
        (BIAS.type, {"mask": "snip", "kept": 0.5}, "has no matrices"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    module_type: ModuleType, given: dict[str, Scalar], reason: str
) -> None:
    """What a user asks for and does not get is said, with its cure."""
    assert reason in module_type.misfit(module_type.complete(given), PLACE)


def test_a_share_without_a_mask_is_refused_by_name() -> None:
    """The error names the connection."""
    with pytest.raises(LayoutError, match=r"3>4:bottleneck\(kept=0.5,rank=8\) keeps a share"):
        check_places(parse_layout("3>4:bottleneck(rank=8,kept=0.5)"), Places(WIDTH))


@pytest.mark.parametrize("kept", [0.0, 1.5])
def test_a_share_lies_between_nothing_and_all(kept: float) -> None:
    """The rule, the value and the place are named."""
    with pytest.raises(LayoutError, match="kept of bottleneck in a test must be at"):
        make_module(MODULE_TYPES, "bottleneck", {"mask": "snip", "kept": kept}, "a test")
