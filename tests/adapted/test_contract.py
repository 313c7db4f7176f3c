"""The promises of the residual graph, over every family and every kind of connection."""

import copy
import itertools
from collections.abc import Iterator

import pytest
import torch
from _pytest.mark import ParameterSet
from torch import Tensor, nn
from torch.nn import functional

from placement_search.adapted.batches import batch_of, take
from placement_search.adapted.frozen import FrozenStates, frozen_states
from placement_search.adapted.model import AdaptedBackbone, needed_nodes
from placement_search.adapted.states import bare_states, pooled
from placement_search.backbones.loading import Backbone, fingerprint
from placement_search.errors import LayoutError
from placement_search.modules import parse_layout
from tests.tiny_backbones import BACKBONES

Inputs = dict[str, Tensor]

# Every node of the tiny backbones (7 nodes) is some connection's source and some one's target.
LAYOUTS = {
    "all kinds": "4>4 3>4 2>4 5>4",
    "recurrent, adapted": "6>3 4>1 1>2 | adapted",
    "none": "none",
    "sequential": "0>0 3>3 6>6",
    "parallel": "0>1 1>2 5>6",
    "long_range": "0>5 2>6 1>4",
    "recurrent": "6>0 5>2",
    "adapted, nothing before": "4>1 5>0 | adapted",
    "adapted, late": "2>1 4>6 | adapted",
    "late": "5>5 2>6 6>5",
}
# The same kinds on fused blocks, whose tiny backbones have 4 nodes.
FUSED_LAYOUTS = {
    "all kinds": "2>2 1>2 0>2 3>2",
    "recurrent, adapted": "3>2 2>1 0>1 | adapted",
    "none": "none",
    "sequential": "0>0 2>2 3>3",
    "parallel": "0>1 1>2 2>3",
    "long_range": "0>2 1>3 0>3",
    "recurrent": "3>0 2>1",
    "adapted, nothing before": "2>1 3>0 | adapted",
    "adapted, late": "1>0 2>3 | adapted",
    "late": "3>3 1>3 3>2",
}
FUSED = {"gpt_neox", "phi"}
IN_FULL = "vit"
"""The family whose every layout is tried in the fast tier."""
TWINS = {
    "deit", "dinov2 with registers", "xlm-roberta", "camembert", "electra", "mistral", "qwen2",
    "qwen3", "hubert", "hubert, stable", "beit, first token",
}  # fmt: skip
"""Families whose blocks are those of another but for their names: left out there."""
QUICK = "all kinds"
"""The layout that it tries on all others."""


def notation_of(short: str) -> str:
    """A layout's notation from its connections' ends."""
    ends, _, first_pass = short.partition(" | ")
    joined = "+".join(f"{pair}:bottleneck(rank=2)" for pair in ends.split() if pair != "none")
    return (joined or "none") + ("|first_pass=adapted" if first_pass else "")


def cases() -> Iterator[ParameterSet]:
    """Every backbone with every layout; what the fast tier leaves out is marked."""
    for name in BACKBONES:
        for kind, short in (FUSED_LAYOUTS if name in FUSED else LAYOUTS).items():
            is_quick = name == IN_FULL or (kind == QUICK and name not in TWINS)
            marks = () if is_quick else (pytest.mark.slow,)
            yield pytest.param(name, notation_of(short), marks=marks, id=f"{name}-{kind}")


every_layout = pytest.mark.parametrize(
    ("backbone", "notation"), list(cases()), indirect=["backbone"]
)


def adapted(backbone: Backbone, notation: str, *, is_trained: bool) -> AdaptedBackbone:
    """A layout attached, with a random head, and with random weights where it is trained."""
    model = AdaptedBackbone(backbone, parse_layout(notation), n_outputs=3, seed=0)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        if name.startswith("head") or is_trained:
            nn.init.normal_(parameter, std=0.3, generator=generator)
    return model


def hooks(model: nn.Module) -> int:
    """Hooks and replaced forwards anywhere in a model."""
    return sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) + ("forward" in vars(m))
        for m in model.modules()
    )


def bare_logits(backbone: Backbone, model: AdaptedBackbone, inputs: Inputs) -> Tensor:
    """The head on the model's own output."""
    hidden, mask = backbone.graph.run(inputs), backbone.graph.token_mask(inputs)
    logits: Tensor = model.head(pooled(hidden, mask, model.pooling))
    return logits


def test_nodes_are_the_models_own_hidden_states(backbone: Backbone, inputs: Inputs) -> None:
    """States between blocks are bitwise what `output_hidden_states` gives.

    As the last one some models give what the final norm makes of it.
    """
    # transformers answers this request by hooks of its own, which it never takes away.
    twin = copy.deepcopy(backbone.graph.model)
    output = twin(**inputs, **backbone.graph.family.options, output_hidden_states=True)
    *expected, last = output.hidden_states
    states = bare_states(backbone, inputs, range(backbone.n_nodes))
    sublayers = backbone.facts.sublayers

    assert len(expected) == backbone.facts.n_blocks
    assert all(torch.equal(states[sublayers * k], state) for k, state in enumerate(expected))
    end = states[backbone.n_nodes - 1]
    assert torch.equal(end, last) or torch.equal(output.last_hidden_state, last)


@every_layout
def test_a_fresh_layout_changes_no_bit(backbone: Backbone, inputs: Inputs, notation: str) -> None:
    """Attaching an untrained layout leaves the logits bit-identical."""
    model = adapted(backbone, notation, is_trained=False)

    assert torch.equal(model(inputs), bare_logits(backbone, model, inputs))


@every_layout
def test_a_trained_layout_changes_the_logits(
    backbone: Backbone, inputs: Inputs, notation: str
) -> None:
    """The identity of fresh layouts is not that of a layout that is never read."""
    model = adapted(backbone, notation, is_trained=True)

    changed = not torch.allclose(model(inputs), bare_logits(backbone, model, inputs), atol=1e-4)

    assert changed == (notation != "none")


@every_layout
def test_every_connection_matters(backbone: Backbone, inputs: Inputs, notation: str) -> None:
    """Silencing any one connection of a trained layout changes the logits."""
    model = adapted(backbone, notation, is_trained=True)
    whole = model(inputs).detach()

    silenced = []
    for index in range(len(model.adapters)):
        other = adapted(backbone, notation, is_trained=True)
        for name in ("weight", "bias"):
            nn.init.zeros_(other.get_parameter(f"adapters.{index}.up.{name}"))
        silenced.append(other(inputs))

    assert not any(torch.equal(logits, whole) for logits in silenced)


@every_layout
def test_detaching_leaves_the_backbone_as_it_was(
    backbone: Backbone, inputs: Inputs, notation: str
) -> None:
    """After a pass, and after training, weights are the same bits and no hook is left."""
    before = fingerprint(backbone.graph.model.state_dict())
    model = adapted(backbone, notation, is_trained=True)
    bare = backbone.graph.run(inputs)

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(inputs).sum().backward()
    optimizer.step()

    assert fingerprint(backbone.graph.model.state_dict()) == before
    assert hooks(backbone.graph.model) == 0
    assert not backbone.graph.model.training
    assert torch.equal(backbone.graph.run(inputs), bare)


def test_an_exception_leaves_no_trace(backbone: Backbone, inputs: Inputs) -> None:
    """An adapter that raises in the middle of a pass from cached states leaves no hook behind."""
    last = backbone.n_nodes - 1
    text = f"1>1:bottleneck+{last}>{last - 1}:bottleneck"
    model = adapted(backbone, text, is_trained=True)
    nodes = needed_nodes(model.layout, backbone.graph)
    states = frozen_states(backbone, inputs, 10**9).batch(batch_of(inputs, torch.arange(5)), nodes)

    def fail(_states: Tensor, _mask: Tensor | None) -> Tensor:
        raise RuntimeError("broken adapter")

    model.adapters[1].forward = fail
    for cached in (None, states):
        with pytest.raises(RuntimeError, match="broken adapter"):
            model(inputs, cached)
        assert hooks(backbone.graph.model) == 0


@every_layout
def test_only_adapters_and_head_receive_gradients(
    backbone: Backbone, inputs: Inputs, notation: str
) -> None:
    """Every trainable parameter gets a gradient; no parameter of the backbone does."""
    model = adapted(backbone, notation, is_trained=True)

    functional.cross_entropy(model(inputs), torch.tensor([0, 1, 2, 0, 1])).backward()

    assert all(parameter.grad is not None for parameter in model.parameters())
    assert all(parameter.grad is None for parameter in backbone.graph.model.parameters())
    assert not any(parameter.requires_grad for parameter in backbone.graph.model.parameters())
    assert len(model.state_dict()) == sum(1 for _ in model.parameters())


@every_layout
@pytest.mark.parametrize("memory_limit", [10**9, 0], ids=["cached", "recomputed"])
def test_cached_states_give_the_losses_of_the_full_forward(
    backbone: Backbone, inputs: Inputs, notation: str, memory_limit: int
) -> None:
    """Three training steps from frozen states give the losses of three full ones.

    The tolerance is that of float32: a batch of another shape may be summed in another order.
    """
    states = frozen_states(backbone, inputs, memory_limit, batch_size=2)
    losses = {
        is_cached: train(adapted(backbone, notation, is_trained=True), inputs, states, is_cached)
        for is_cached in (True, False)
    }

    torch.testing.assert_close(losses[True], losses[False], rtol=1e-5, atol=1e-5)


def train(model: AdaptedBackbone, inputs: Inputs, states: FrozenStates, is_cached: bool) -> Tensor:
    """Losses of three steps over changing halves of the examples."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    labels = torch.tensor([0, 1, 2, 0, 1])
    nodes = needed_nodes(model.layout, model.backbone.graph)
    losses = []
    for indices in (torch.tensor([0, 2, 4]), torch.tensor([1, 3]), torch.tensor([4, 0])):
        cached = states.batch(batch_of(inputs, indices), nodes) if is_cached else None
        loss = functional.cross_entropy(model(take(inputs, indices), cached), labels[indices])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


@every_layout
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

        torch.testing.assert_close(padded, model(short), rtol=1e-4, atol=1e-4)


def test_the_order_of_connections_does_not_matter(backbone: Backbone, inputs: Inputs) -> None:
    """Layouts typed in any order are one layout with one set of logits."""
    parts = ["0>2:bottleneck(rank=2)", "1>2:bottleneck(rank=2)", "3>2:bottleneck(rank=2)"]
    logits = [
        adapted(backbone, "+".join(order), is_trained=True)(inputs)
        for order in itertools.permutations(parts)
    ]

    assert all(torch.equal(other, logits[0]) for other in logits)


def test_an_attached_model_runs_through_its_own_forward(backbone: Backbone, inputs: Inputs) -> None:
    """Inside `attached` the backbone's own model gives the adapted states; afterwards its own."""
    model = adapted(backbone, "1>3:bottleneck+2>2:bottleneck", is_trained=True)
    bare = backbone.graph.run(inputs)

    with model.attached() as inner:
        assert inner is backbone.graph.model
        within = backbone.graph.run(inputs)

    assert torch.equal(within, model.hidden_states(inputs))
    assert torch.equal(backbone.graph.run(inputs), bare)


def test_a_recurrent_layout_can_not_be_attached_for_one_pass(backbone: Backbone) -> None:
    """One call of the model can't run it twice, and says so."""
    model = adapted(backbone, "2>1:bottleneck", is_trained=True)

    with pytest.raises(ValueError, match="two passes"), model.attached():
        pass


def test_first_pass_modes_differ_and_agree_where_they_must(
    backbone: Backbone, inputs: Inputs
) -> None:
    """An adapted first pass matters exactly if a forward connection lies before the source."""
    with_forward = "3>1:bottleneck+1>2:bottleneck"
    frozen = adapted(backbone, with_forward, is_trained=True)(inputs)
    carried = adapted(backbone, with_forward + "|first_pass=adapted", is_trained=True)(inputs)
    behind = "1>0:bottleneck+2>3:bottleneck"
    same = [
        adapted(backbone, behind + mode, is_trained=True)(inputs)
        for mode in ("", "|first_pass=adapted")
    ]

    assert not torch.allclose(frozen, carried, atol=1e-4)
    assert torch.equal(*same)


def test_an_adapted_first_pass_has_gradients_of_its_own(backbone: Backbone, inputs: Inputs) -> None:
    """A forward connection that only the first pass's source sees still learns from it."""
    text = "3>1:bottleneck+1>3:bottleneck"
    gradients = []
    for mode in ("", "|first_pass=adapted"):
        model = adapted(backbone, text + mode, is_trained=True)
        model(inputs).sum().backward()
        gradients.append(model.get_parameter("adapters.0.up.weight").grad)

    frozen, carried = gradients
    assert frozen is not None and carried is not None
    assert not torch.allclose(frozen, carried)


def test_nodes_beyond_the_last_are_refused(backbone: Backbone) -> None:
    """The error names the connection and the last node."""
    last = backbone.n_nodes - 1

    with pytest.raises(LayoutError, match=f"3>{last + 1}.*last node {last}"):
        AdaptedBackbone(backbone, parse_layout(f"3>{last + 1}:bottleneck"), 2)
