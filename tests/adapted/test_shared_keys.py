"""Maps that read relative positions beside tokens: what changes them changes all their runs."""

import copy
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from placement_search.adapted.fold import folded_state
from placement_search.adapted.model import AdaptedBackbone, Examples, logits_together
from placement_search.backbones.loading import Backbone, as_backbone
from placement_search.export.peft_folder import write_peft
from placement_search.modules import parse_layout
from placement_search.modules.contract import InsideModule
from placement_search.modules.switch import Switch, SwitchedInside
from tests.backbones.shared_keys import tiny_shared_keys

LORA = "0>1:lora(linears=query_value,rank=2)+4>5:lora(rank=3)"
ARC = "0>1:arc_inside(rank=3)+2>3:arc_inside(rank=3)"
PEFT_WARNS = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
"""What peft 0.21 asks of transformers 5.23 is deprecated there."""


@cache
def backbone() -> Backbone:
    """Made once."""
    return tiny_shared_keys()


def texts(n: int, seed: int = 0) -> dict[str, Tensor]:
    """So many texts, the first of which ends early."""
    inputs = backbone().made_up_inputs(n, seed)
    inputs["attention_mask"][0, 9:] = 0
    return inputs


def trained(notation: str) -> AdaptedBackbone:
    """A layout with random weights."""
    model = AdaptedBackbone(backbone(), parse_layout(notation), 3)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    return model.eval()


@pytest.mark.parametrize("notation", [LORA, ARC, f"{LORA}+{ARC}"])
@torch.no_grad()
def test_the_folded_bare_model_gives_the_adapted_states(notation: str) -> None:
    """The weights serve relative positions too, so modules have to change what is made of these."""
    model, inputs = trained(notation), texts(4)
    folded = copy.deepcopy(backbone().graph.model)
    folded.load_state_dict(folded_state(model))
    ours = model.hidden_states(inputs)

    torch.testing.assert_close(
        as_backbone(folded, "folded").graph.run(inputs), ours, rtol=1e-4, atol=1e-4
    )
    assert not torch.allclose(backbone().graph.run(inputs), ours, atol=1e-2)


@PEFT_WARNS
@torch.no_grad()
def test_peft_gives_our_hidden_states(tmp_path: Path) -> None:
    """It wraps each map for all of its runs, queries' and keys' among them."""
    peft = pytest.importorskip("peft")
    model, inputs = trained(LORA), texts(4)
    write_peft(model, tmp_path)
    base = copy.deepcopy(backbone().graph.model)
    loaded = peft.PeftModel.from_pretrained(base, str(tmp_path)).eval()
    theirs = loaded(**inputs).last_hidden_state

    torch.testing.assert_close(theirs, model.hidden_states(inputs), rtol=1e-4, atol=1e-5)


@PEFT_WARNS
def test_queries_and_values_are_those_that_peft_finds(tmp_path: Path) -> None:
    """The same maps in every block, so the baseline is what its users have."""
    peft = pytest.importorskip("peft")
    parts = [f"{node}>{node + 1}:lora(linears=query_value,rank=2)" for node in (0, 2, 4)]
    write_peft(trained("+".join(parts)), tmp_path)
    config = peft.LoraConfig(r=2, target_modules=["query_proj", "value_proj"])
    ours, theirs = (
        {name for name, _ in model.named_parameters() if "lora_" in name}
        for model in (
            peft.PeftModel.from_pretrained(copy.deepcopy(backbone().graph.model), str(tmp_path)),
            peft.get_peft_model(copy.deepcopy(backbone().graph.model), config),
        )
    )

    assert ours == theirs


def test_layouts_that_are_run_together_keep_their_positions_apart() -> None:
    """All examples of a pass share them, and each layout has its own."""
    models = [trained(text) for text in (LORA, ARC, "1>2:bottleneck(rank=2)", LORA)]
    examples = [Examples(texts(2, seed), None) for seed in range(4)]
    alone = [model(*each) for model, each in zip(models, examples, strict=True)]
    together = logits_together(models, examples)

    assert all(torch.equal(one, other) for one, other in zip(together, alone, strict=True))


def test_behind_a_switch_positions_get_the_mean_of_what_is_drawn() -> None:
    """Of four examples some are on and some are off; what all of them share is between."""
    ((_, lora),) = trained("0>1:lora(linears=query_value,rank=2)").wired
    assert isinstance(lora, InsideModule)
    run = SwitchedInside(lora, Switch(seed=0)).drawn(4)
    path, token = lora.paths[0], torch.randn(1, 1, 16)
    none = torch.zeros_like(token)
    whole = lora.changed(path, token, none)
    each = run.changed(path, token.expand(4, 1, 16), none.expand(4, 1, 16))
    shared = run.changed(path, token, none)

    torch.testing.assert_close(shared, each.mean(0, keepdim=True))
    assert 0.1 < shared.norm() / whole.norm() < 0.9
