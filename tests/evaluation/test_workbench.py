"""What evaluations share."""

import pytest

from placement_search.errors import TaskError
from placement_search.evaluation.workbench import Workbench
from placement_search.tasks import load_task
from tests.tiny_backbones import tiny_bert, tiny_vit
from tests.tiny_task import tiny_task


def test_images_of_another_size_are_refused() -> None:
    """The error gives both shapes."""
    with pytest.raises(TaskError, match=r"\(1, 8, 8\).*\(1, 16, 16\)"):
        Workbench(tiny_vit(), load_task("digits"))


def test_images_on_a_text_model_are_refused() -> None:
    """The error names what the model takes and what the task gives."""
    with pytest.raises(TaskError, match=r"input_ids.*pixel_values"):
        Workbench(tiny_bert(), tiny_task())
