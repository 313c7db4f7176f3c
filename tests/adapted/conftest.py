"""Each backbone in turn, with inputs."""

import pytest
import torch
from torch import Tensor

from placement_search.backbones.loading import Backbone
from tests.tiny_backbones import BACKBONES

Inputs = dict[str, Tensor]


@pytest.fixture(scope="session", params=BACKBONES)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    """Each family in turn."""
    return BACKBONES[request.param]()


@pytest.fixture
def inputs(backbone: Backbone) -> Inputs:
    """Five examples; texts are padded to different lengths."""
    made = backbone.made_up_inputs(5, seed=1)
    if "attention_mask" in made:
        lengths = torch.tensor([16, 9, 4, 12, 16])
        made["attention_mask"] = (torch.arange(16) < lengths[:, None]).long()
    return made
