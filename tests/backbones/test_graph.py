"""The residual graph of every family: its nodes, its passes, its masks."""

import copy

import pytest
import torch
from torch import Tensor

from placement_search.backbones.families import FAMILIES, VARIANTS, Pooling
from placement_search.backbones.graph import nodes_of
from placement_search.backbones.loading import Backbone
from placement_search.errors import BackboneError
from tests.tiny_backbones import BACKBONES, each_backbone, tiny, tiny_bert, tiny_vit


@pytest.fixture(params=each_backbone())
def backbone(request: pytest.FixtureRequest) -> Backbone:
    """Each family in turn."""
    return BACKBONES[request.param]()


class Recorder:
    """A visitor that keeps the states it passes."""

    def __init__(self) -> None:
        self.states: dict[int, Tensor] = {}

    def addition(self, node: int, state: Tensor) -> None:
        """Nothing is added."""

    def passed(self, node: int, state: Tensor) -> None:
        """Keep the state."""
        self.states[node] = state


@pytest.mark.slow
def test_the_table_is_tried_whole() -> None:
    """Every family has a tiny backbone, and so has every variant."""
    made = [make() for make in BACKBONES.values()]
    families = [backbone.graph.family for backbone in made]

    # A whole CLIP model is read as its vision half, which has a type of its own.
    assert {backbone.facts.model_type for backbone in made} == FAMILIES.keys() - {"clip"}
    assert all(family in families for family in VARIANTS.values())


def test_there_is_a_node_for_each_sublayer(backbone: Backbone) -> None:
    """And one for the first input."""
    facts = backbone.facts

    assert backbone.n_nodes == facts.n_nodes == facts.n_blocks * facts.sublayers + 1
    assert [node.index for node in backbone.graph.nodes] == list(range(facts.n_nodes))
    assert facts.sublayers == (1 if facts.model_type == "phi" else facts.sublayers)


def test_states_have_the_width_of_the_stream(backbone: Backbone) -> None:
    """At every node, in every family, as have the final ones."""
    recorder = Recorder()
    with torch.no_grad(), backbone.graph.visited(recorder, range(backbone.n_nodes)):
        hidden = backbone.graph.run(backbone.made_up_inputs(3, seed=0))

    shapes = {state.shape for state in (*recorder.states.values(), hidden)}
    assert len(recorder.states) == backbone.n_nodes
    assert shapes == {(3, hidden.shape[1], backbone.width)}


Passed = tuple[dict[int, Tensor], Tensor]


def whole_pass(backbone: Backbone, inputs: dict[str, Tensor]) -> Passed:
    """The states at all nodes, and the final ones."""
    recorder = Recorder()
    with backbone.graph.visited(recorder, range(backbone.n_nodes)):
        full = backbone.graph.run(inputs)
    return recorder.states, full


def starts(backbone: Backbone) -> list[int]:
    """The nodes where a pass may begin."""
    return [node for node in range(backbone.n_nodes) if backbone.graph.pass_start(node) == node]


@torch.no_grad()
def test_a_pass_may_start_at_any_node_that_can_be_put_in(backbone: Backbone) -> None:
    """From the state there it ends bitwise as the full pass, whatever the inputs' embeddings."""
    inputs = backbone.made_up_inputs(3, seed=0)
    states, full = whole_pass(backbone, inputs)

    for node in starts(backbone):
        with backbone.graph.started_at(node, states[node]):
            assert torch.equal(backbone.graph.run(inputs), full)


@torch.no_grad()
def test_a_pass_starts_with_the_state_that_is_given(backbone: Backbone) -> None:
    """Another state at the start leads to another end."""
    inputs = backbone.made_up_inputs(3, seed=0)
    states, full = whole_pass(backbone, inputs)

    for node in starts(backbone):
        with backbone.graph.started_at(node, states[node].flip(0)):
            torch.testing.assert_close(backbone.graph.run(inputs), full.flip(0))


@torch.no_grad()
def test_examples_may_join_a_pass_anywhere(backbone: Backbone) -> None:
    """Examples that begin at nodes of their own end bitwise as in a full pass, padded ones too."""
    inputs = backbone.made_up_inputs(len(starts(backbone)), seed=0)
    if "attention_mask" in inputs:
        inputs["attention_mask"][1:, -3:] = 0
    states, full = whole_pass(backbone, inputs)
    begun = [(node, states[node][i : i + 1]) for i, node in enumerate(starts(backbone))]

    if not backbone.graph.can_join:
        with pytest.raises(ValueError, match="begins for all at one node"):
            backbone.graph.joined_at(begun, inputs).__enter__()
        return
    with backbone.graph.joined_at(begun, inputs):
        assert torch.equal(backbone.graph.run(inputs), full)


@pytest.mark.parametrize("name", ["bert", "gpt2", "modernbert"])
@torch.no_grad()
def test_a_first_batch_of_one_token_says_nothing_wrong_of_later_ones(name: str) -> None:
    """What a block takes for each example is learned once, and a text of one token has no mask."""
    backbone = BACKBONES[name]()
    short = backbone.made_up_inputs(2, seed=0)
    short = {key: value[:, :1] for key, value in short.items()}
    for inputs in (short, backbone.made_up_inputs(2, seed=0)):
        inputs["attention_mask"][1:, 3:] = 0
        states, full = whole_pass(backbone, inputs)
        begun = [(node, states[node][i : i + 1]) for i, node in enumerate((2, 4))]
        with backbone.graph.joined_at(begun, inputs):
            torch.testing.assert_close(backbone.graph.run(inputs), full)


def running_blocks(backbone: Backbone, node: int) -> set[int]:
    """The blocks that compute anything in a pass from ``node``."""
    graph, inputs = backbone.graph, backbone.made_up_inputs(2, seed=0)
    ran: set[int] = set()
    hidden = graph.run(inputs)
    for index, block in enumerate(graph.blocks):
        leaf = next(module for module in block.modules() if not list(module.children()))
        leaf.register_forward_hook(lambda *_, index=index: ran.add(index))
    with graph.started_at(node, hidden):
        graph.run(inputs)
    return ran


@torch.no_grad()
def test_blocks_below_the_start_do_not_run() -> None:
    """But for a first block that all later ones take something from."""
    assert running_blocks(BACKBONES["vit"](), 6) == set()
    assert running_blocks(BACKBONES["vit"](), 4) == {2}
    assert running_blocks(BACKBONES["deberta-v2"](), 2) == {1, 2}
    assert running_blocks(BACKBONES["phi"](), 1) == {1, 2}
    assert running_blocks(BACKBONES["t5"](), 6) == {0}


def test_a_pass_does_not_start_where_no_state_can_be_put_in() -> None:
    """Half a block can not be skipped where a block's second half reads its input."""
    graph = BACKBONES["beit"]().graph

    with (
        pytest.raises(ValueError, match="no pass of BeitModel begins at node 3"),
        graph.started_at(3, torch.zeros(1)),
    ):
        pass
    assert [graph.pass_start(node) for node in range(7)] == [0, 0, 2, 2, 4, 4, 6]
    assert [tiny_vit().graph.pass_start(node) for node in range(7)] == list(range(7))


def test_final_states_come_after_the_final_norm(backbone: Backbone) -> None:
    """They are the model's own, or the norm's that its pooled output went through."""
    inputs = backbone.made_up_inputs(3, seed=0)
    model, family = backbone.graph.model, backbone.graph.family
    output = copy.deepcopy(model)(**inputs, **family.options)
    hidden = backbone.graph.run(inputs)

    if family.norm is None:
        assert torch.equal(hidden, output.last_hidden_state)
    elif family.norm == "post_layernorm":
        torch.testing.assert_close(hidden[:, 0], output.pooler_output)
    else:
        spread = hidden.std(-1, correction=0)
        torch.testing.assert_close(spread, torch.ones_like(spread), rtol=1e-3, atol=1e-3)


def test_fused_blocks_have_one_node_each() -> None:
    """Titles and sub-layers say so."""
    fused = nodes_of(2, sublayers=1)

    assert [node.title for node in fused] == ["embeddings", "block 0", "block 1"]
    assert [node.sublayer for node in fused] == ["none", "block 0", "block 1"]
    assert [node.title for node in nodes_of(1)] == [
        "embeddings", "block 0, after attention", "block 0, after MLP"
    ]  # fmt: skip


def test_images_have_no_token_mask() -> None:
    """All of their tokens are real."""
    backbone = tiny_vit()

    assert backbone.graph.token_mask(backbone.made_up_inputs(2, seed=0)) is None


def test_texts_have_the_mask_of_their_tokens() -> None:
    """As booleans; without one all tokens are real."""
    graph = tiny_bert().graph
    ids = torch.ones(1, 3, dtype=torch.long)

    mask = graph.token_mask({"input_ids": ids, "attention_mask": torch.tensor([[1, 1, 0]])})

    assert mask is not None and mask.tolist() == [[True, True, False]]
    assert graph.token_mask({"input_ids": ids}) is None


@pytest.mark.parametrize("name", ["hubert", "wav2vec2", "hubert, stable", "wav2vec2, stable"])
@torch.no_grad()
def test_padded_samples_change_no_real_frame(name: str) -> None:
    """A waveform alone, and padded in longer company: real frames are the same, and known."""
    backbone = BACKBONES[name]()
    waves = backbone.made_up_inputs(2, seed=0)["input_values"]
    n_short = waves.shape[1] // 2
    mask = torch.ones(waves.shape, dtype=torch.long)
    mask[0, n_short:] = 0
    padded = {"input_values": waves * mask, "attention_mask": mask}
    alone = backbone.graph.run({"input_values": waves[:1, :n_short]})

    hidden, frames = backbone.graph.run(padded), backbone.graph.token_mask(padded)

    assert frames is not None and frames.shape == hidden.shape[:2]
    assert frames.sum(1).tolist() == [alone.shape[1], hidden.shape[1]]
    torch.testing.assert_close(hidden[:1, : alone.shape[1]], alone, rtol=1e-4, atol=1e-4)


def test_inputs_take_the_dtype_of_the_weights() -> None:
    """A backbone in half precision runs on ordinary images."""
    backbone = tiny_vit()
    backbone.graph.model.bfloat16()

    assert backbone.graph.run(backbone.made_up_inputs(2, seed=0)).dtype is torch.bfloat16
    assert backbone.dtype is torch.bfloat16


def test_poolings_are_what_the_family_was_made_for() -> None:
    """Decoders never train their first token on what follows."""
    assert BACKBONES["gpt2"]().poolings == (Pooling.LAST, Pooling.MEAN)
    assert BACKBONES["bert"]().poolings == (Pooling.CLS, Pooling.MEAN)
    assert BACKBONES["beit"]().poolings == (Pooling.MEAN, Pooling.CLS)
    assert BACKBONES["t5"]().poolings == (Pooling.MEAN,)


def test_a_norm_in_a_pooler_that_was_left_out_is_missed() -> None:
    """The error says what the family wants and what there is."""
    with pytest.raises(BackboneError, match=r"no module 'pooler.layernorm'.*as norm.*layers"):
        tiny("Beit", bare=True, image_size=8, patch_size=4, num_channels=1)
