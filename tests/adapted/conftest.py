"""Each backbone in turn, with inputs."""

from functools import cache

import pytest
import torch
from torch import Tensor

from placement_search.backbones.loading import Backbone
from tests.tiny_backbones import BACKBONES, each_backbone

Inputs = dict[str, Tensor]


@cache
def made(name: str) -> Backbone:
    """A backbone of the table, made once."""
    return BACKBONES[name]()


@pytest.fixture(params=each_backbone())
def backbone(request: pytest.FixtureRequest) -> Backbone:
    """Each family in turn."""
    return made(request.param)


@pytest.fixture
def inputs(backbone: Backbone) -> Inputs:
    """Five examples; texts are padded to different lengths."""
    inputs = backbone.made_up_inputs(5, seed=1)
    if "attention_mask" in inputs:
        lengths = torch.tensor([16, 9, 4, 12, 16])
        inputs["attention_mask"] = (torch.arange(16) < lengths[:, None]).long()
    return inputs
