"""What modules inside sub-layers promise: the table's types and settings on every family."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from placement_search.adapted.batches import batch_of, take
from placement_search.adapted.frozen import frozen_states
from placement_search.adapted.model import (
    AdaptedBackbone,
    Examples,
    logits_together,
    needed_nodes,
    nodes_together,
    start_node,
)
from placement_search.adapted.states import pooled
from placement_search.backbones.loading import Backbone, fingerprint
from placement_search.errors import LayoutError
from placement_search.layout import Layout, ModuleSpec
from placement_search.modules import (
    MODULES,
    check_places,
    count_parameters,
    distinct_state,
    is_inside,
    parse_layout,
)
from tests.modules.inside_cases import (
    DEFAULTS,
    FUSED,
    FUSED_TOGETHER,
    IN_FULL,
    SPECS,
    TOGETHER,
    WITH_OPTIONS,
    around_all,
    cases,
    fits,
    made,
)
from tests.tiny_backbones import BACKBONES

Inputs = dict[str, Tensor]


@pytest.fixture(params=cases())
def case(request: pytest.FixtureRequest) -> tuple[Backbone, str]:
    """A backbone and a layout's notation."""
    name, what = request.param
    together = FUSED_TOGETHER if name in FUSED else TOGETHER
    backbone = made(name)
    notation = together[what] if what in together else around_all(backbone, what)
    assert notation, f"{what} fits nowhere on {name}"
    return backbone, notation


@pytest.fixture
def backbone(case: tuple[Backbone, str]) -> Backbone:
    """Of the case."""
    return case[0]


@pytest.fixture
def notation(case: tuple[Backbone, str]) -> str:
    """Of the case."""
    return case[1]


@pytest.fixture
def inputs(backbone: Backbone) -> Inputs:
    """Five examples; texts are padded to different lengths."""
    inputs = backbone.made_up_inputs(5, seed=1)
    if "attention_mask" in inputs:
        lengths = torch.tensor([16, 9, 4, 12, 16])
        inputs["attention_mask"] = (torch.arange(16) < lengths[:, None]).long()
    return inputs


def adapted(backbone: Backbone, notation: str, *, is_trained: bool) -> AdaptedBackbone:
    """A layout attached, with a random head, and moved in every parameter where it is trained."""
    model = AdaptedBackbone(backbone, parse_layout(notation), n_outputs=3, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("head") or is_trained:
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return model


def hooks(model: nn.Module) -> int:
    """Hooks and replaced forwards anywhere in a model."""
    return sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) + ("forward" in vars(m))
        for m in model.modules()
    )


def cached(model: AdaptedBackbone, inputs: Inputs, indices: Tensor) -> Examples:
    """Some of the examples, with the frozen states that the model reads."""
    return all_cached([model], inputs, [indices])[0]


def all_cached(
    models: Sequence[AdaptedBackbone], inputs: Inputs, parts: Sequence[Tensor]
) -> list[Examples]:
    """The same for models that share a pass."""
    backbone = models[0].backbone
    states = frozen_states(backbone, inputs, 10**9)
    nodes = nodes_together([model.layout for model in models], backbone.graph)
    return [
        Examples(take(inputs, part), states.batch(batch_of(inputs, part), each))
        for part, each in zip(parts, nodes, strict=True)
    ]


def test_no_type_is_forgotten() -> None:
    """Every type of the table that works inside is tried with all its variants, and on families."""
    specs = {*SPECS, *WITH_OPTIONS}
    texts = [around_all(made(IN_FULL), spec.notation) for spec in specs]
    tried = {c.module for text in texts if text for c in parse_layout(text).connections}
    inside = {name for name, entry in MODULES.items() if entry.type.is_inside}

    assert tried == specs
    assert {spec.type for spec in SPECS} == inside
    assert {spec.type for spec in WITH_OPTIONS if "gate" in spec.settings} == inside
    assert {spec.type for spec in SPECS if spec.notation in DEFAULTS} == inside


def test_a_fresh_layout_changes_no_bit(backbone: Backbone, notation: str, inputs: Inputs) -> None:
    """The logits are those of the head on the bare backbone."""
    model = adapted(backbone, notation, is_trained=False)
    bare = pooled(backbone.graph.run(inputs), backbone.graph.token_mask(inputs), model.pooling)

    assert torch.equal(model(inputs), model.head(bare))


def test_every_connection_matters(backbone: Backbone, notation: str, inputs: Inputs) -> None:
    """A trained layout whose one connection is fresh again gives other logits."""
    model = adapted(backbone, notation, is_trained=True)
    whole = model(inputs).detach()
    fresh = adapted(backbone, notation, is_trained=False)
    for index, other in enumerate(fresh.adapters):
        held, model.adapters[index] = model.adapters[index], other

        assert not torch.equal(model(inputs), whole), model.layout.connections[index].notation
        model.adapters[index] = held


def test_the_backbone_is_left_as_it_was(backbone: Backbone, notation: str, inputs: Inputs) -> None:
    """After training, weights and states are the same bits, and no hook is left."""
    before = fingerprint(backbone.graph.model.state_dict())
    bare = backbone.graph.run(inputs)
    model = adapted(backbone, notation, is_trained=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(inputs).sum().backward()
    optimizer.step()

    assert fingerprint(backbone.graph.model.state_dict()) == before
    assert hooks(backbone.graph.model) == 0
    assert not backbone.graph.model.training
    assert torch.equal(backbone.graph.run(inputs), bare)


def test_an_exception_leaves_no_hook(backbone: Backbone, notation: str, inputs: Inputs) -> None:
    """One that an adapter raises in the middle of a sub-layer, in full and from frozen states."""
    model = adapted(backbone, notation, is_trained=True)
    inside = next(module for connection, module in model.wired if is_inside(connection))

    def fail(*_: object) -> Tensor:
        raise RuntimeError("broken adapter")

    inside.changed = inside.reread = fail  # type: ignore[assignment]
    for examples in (Examples(inputs, None), cached(model, inputs, torch.arange(5))):
        with pytest.raises(RuntimeError, match="broken adapter"):
            model(*examples)
        assert hooks(backbone.graph.model) == 0


def test_only_adapters_and_head_learn(backbone: Backbone, notation: str, inputs: Inputs) -> None:
    """Each of their parameters gets a gradient, the backbone's get none."""
    model = adapted(backbone, notation, is_trained=True)
    functional.cross_entropy(model(inputs), torch.tensor([0, 1, 2, 0, 1])).backward()

    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name
    assert all(parameter.grad is None for parameter in backbone.graph.model.parameters())
    assert not any(parameter.requires_grad for parameter in backbone.graph.model.parameters())


def test_a_fresh_layout_can_begin_to_learn(
    backbone: Backbone, notation: str, inputs: Inputs
) -> None:
    """Some parameter of each connection gets a gradient at the first step."""
    model = adapted(backbone, notation, is_trained=False)
    functional.cross_entropy(model(inputs), torch.tensor([0, 1, 2, 0, 1])).backward()

    for connection, module in model.wired:
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        assert any(gradient.any() for gradient in gradients), connection.notation


def test_a_pass_starts_where_the_sublayer_begins(backbone: Backbone, notation: str) -> None:
    """At the source of what works inside, at the target of others, or at its block's input."""
    layout = parse_layout(notation)
    lowest = min(c.source if is_inside(c) else c.target for c in layout.connections)
    start = start_node(layout, backbone.graph)

    assert start == backbone.graph.pass_start(lowest)
    assert start in needed_nodes(layout, backbone.graph)


def test_frozen_states_give_the_same_losses(
    backbone: Backbone, notation: str, inputs: Inputs
) -> None:
    """Training from them, three steps over changing examples, is training in full.

    The tolerance is that of float32: a batch of another shape may be summed in another order.
    """
    losses = {
        is_cached: train(backbone, notation, inputs, is_cached) for is_cached in (True, False)
    }

    torch.testing.assert_close(losses[True], losses[False], rtol=1e-4, atol=1e-5)


def train(backbone: Backbone, notation: str, inputs: Inputs, is_cached: bool) -> Tensor:
    """Losses of the steps."""
    model = adapted(backbone, notation, is_trained=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    labels = torch.tensor([0, 1, 2, 0, 1])
    losses = []
    for indices in (torch.tensor([0, 2, 4]), torch.tensor([1, 3]), torch.tensor([4, 0])):
        examples = cached(model, inputs, indices)
        logits = model(examples.inputs, examples.states if is_cached else None)
        loss = functional.cross_entropy(logits, labels[indices])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def test_company_does_not_matter(backbone: Backbone, notation: str, inputs: Inputs) -> None:
    """Logits and gradients are the same alone and beside layouts with other starts.

    The tolerance is that of float32 products of more rows.
    """
    last = backbone.n_nodes - 1
    others = ["0>0:bottleneck(rank=2)", f"{last}>{last}:bottleneck(rank=2)", "none"]
    others.append(around_all(backbone, "lora(rank=2)").split("+")[-1])
    texts = [others[0], notation, *others[1:]]
    # Each has a text of full length, since batches of one pass are as long as each other.
    parts = [torch.tensor(pair) for pair in ([0, 1], [4, 2], [0, 3], [4, 1], [2, 0])]
    found = []
    for is_together in (True, False):
        models = [adapted(backbone, text, is_trained=True) for text in texts]
        if is_together:
            logits = logits_together(models, all_cached(models, inputs, parts))
        else:
            pairs = zip(models, parts, strict=True)
            logits = [model(*cached(model, inputs, part)) for model, part in pairs]
        torch.stack(logits).square().sum().backward()
        gradients = [p.grad for model in models for p in model.parameters()]
        found.append((logits, gradients))

    torch.testing.assert_close(*[logits for logits, _ in found], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(*[gradients for _, gradients in found], rtol=1e-3, atol=1e-3)


def test_padding_changes_nothing(backbone: Backbone, notation: str) -> None:
    """A text alone and the same text padded, in other company, have the same logits.

    The tolerance is that of float32 under another shape of the attention matrices.
    """
    if "attention_mask" not in (whole := backbone.made_up_inputs(2, seed=3)):
        return
    ids = whole["input_ids"]
    short = {"input_ids": ids[:1, :6], "attention_mask": torch.ones(1, 6, dtype=torch.long)}
    mask = torch.ones(2, 16, dtype=torch.long)
    mask[0, 6:] = 0
    model = adapted(backbone, notation, is_trained=True)

    for model.pooling in backbone.poolings:
        padded = model({"input_ids": ids, "attention_mask": mask})[:1]

        torch.testing.assert_close(padded, model(short), rtol=1e-3, atol=1e-4)


def test_the_formula_counts_the_real_parameters(backbone: Backbone, notation: str) -> None:
    """Budgets are checked by formula before anything is built."""
    model = adapted(backbone, notation, is_trained=False)
    n_real = sum(parameter.numel() for parameter in model.adapters.parameters())

    assert count_parameters(model.layout, backbone.places) == n_real


def test_saved_weights_give_the_same_logits(
    backbone: Backbone, notation: str, inputs: Inputs, tmp_path: Path
) -> None:
    """The notation and the weights, in float32, are all that a layout is."""
    model = adapted(backbone, notation, is_trained=True)
    save_file(distinct_state(model), tmp_path / "weights.safetensors")
    again = AdaptedBackbone(backbone, parse_layout(notation), n_outputs=3, seed=9)
    again.load_state_dict(load_file(tmp_path / "weights.safetensors"), strict=False)

    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert torch.equal(again(inputs), model(inputs))


def test_a_seed_fixes_the_weights_and_nothing_else(backbone: Backbone, notation: str) -> None:
    """Building draws nothing from the global generator."""
    before = torch.random.get_rng_state()
    one, same = (adapted(backbone, notation, is_trained=False).state_dict() for _ in range(2))

    assert all(torch.equal(one[name], same[name]) for name in one)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.notation)
@pytest.mark.parametrize("pair", ["1>3", "2>2", "0>5", "4>1"])
def test_they_need_a_sublayer_to_be_in(spec: ModuleSpec, pair: str) -> None:
    """Where a connection goes around none or several the error says so, by its notation."""
    layout = parse_layout(f"{pair}:{spec.notation}")

    with pytest.raises(LayoutError, match=rf"{pair}:{spec.type}.*has to go around one"):
        check_places(layout, made("bert").places)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.notation)
def test_what_does_not_fit_fused_blocks_says_so(spec: ModuleSpec) -> None:
    """Most types look for one of the two sub-layers that are one there."""
    layout = parse_layout(f"0>1:{spec.notation}")
    if fits(made("phi"), layout.notation):
        return

    with pytest.raises(LayoutError, match=r"goes around one fused block \(block 0\)"):
        check_places(layout, made("phi").places)


@pytest.mark.parametrize("spec", [*SPECS, *WITH_OPTIONS], ids=lambda spec: spec.notation)
def test_half_precision_is_widened(spec: ModuleSpec) -> None:
    """On a backbone in bfloat16 a fresh module changes no bit, and a trained one trains."""
    backbone = BACKBONES["bert"]()
    backbone.graph.model.bfloat16()
    inputs, notation = backbone.made_up_inputs(3, seed=0), around_all(backbone, spec.notation)
    fresh = adapted(backbone, notation, is_trained=False)
    bare = adapted(backbone, Layout().notation, is_trained=False)
    bare.head = fresh.head
    trained = adapted(backbone, notation, is_trained=True)
    trained(inputs).sum().backward()

    assert torch.equal(fresh(inputs), bare(inputs))
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in trained.parameters())
