"""Options made from settings: each field has one, with a text, a type and its default."""

from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from typer.main import get_command

from placement_search.backbones.settings import ModelSettings
from placement_search.cli.bundles import BUNDLES, model_of, with_bundles
from placement_search.cli.main import app
from placement_search.tasks.settings import DataSettings


@pytest.mark.parametrize("settings", BUNDLES)
def test_every_field_has_a_text(settings: type) -> None:
    """A new setting can't be forgotten on the command line."""
    assert BUNDLES[settings].keys() == {field.name for field in fields(settings)}


@pytest.mark.parametrize("command", ["search", "map"])
def test_a_command_has_an_option_for_every_field(command: str) -> None:
    """With the default of the settings."""
    known = {p.name: p for p in get_command(app).commands[command].params}  # type: ignore[attr-defined]

    for settings in (ModelSettings(), DataSettings()):
        for field in fields(settings):
            assert known[field.name].default == getattr(settings, field.name)
            assert known[field.name].opts == ["--" + field.name.replace("_", "-")]


def test_options_are_put_together_again() -> None:
    """The command sees settings and its own options."""
    seen: list[object] = []

    @with_bundles
    def command(model: ModelSettings, data: DataSettings, own: int = 3) -> None:
        seen.extend([model, data, own])

    given = {f.name: f.default for s in (ModelSettings, DataSettings) for f in fields(s)}
    command(**given | {"dtype": "bfloat16", "shots": 16}, own=5)

    assert seen == [ModelSettings(dtype="bfloat16"), DataSettings(shots=16), 5]


def test_a_field_without_a_default_is_a_mistake_of_ours() -> None:
    """An option has to have one."""

    @dataclass
    class Bare:
        name: str

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("placement_search.cli.bundles.BUNDLES", {Bare: {"name": "text"}})
        with pytest.raises(TypeError, match="name needs a default"):

            @with_bundles
            def command(bare: Bare) -> None:
                """Never made."""


def test_what_is_unsaid_stays() -> None:
    """Moving a model changes nothing else."""
    stored = ModelSettings(model="here", dtype="bfloat16", allow_pickle=True)

    assert model_of(stored, "there", device=None, allow_pickle=False) == ModelSettings(
        model="there", dtype="bfloat16", allow_pickle=True
    )


def test_a_copy_of_what_the_hub_held_is_read_without_it(tmp_path: Path) -> None:
    """A revision, and a configuration, belong to the place that they were said of."""
    model = ModelSettings("owner/model", revision="main", dtype="bfloat16")
    data = DataSettings("owner/data", config="cola", text="sentence")
    copy = str(tmp_path)

    assert model.moved_to(copy) == ModelSettings(copy, dtype="bfloat16")
    assert data.moved_to(copy, "matthews") == DataSettings(copy, text="sentence", metric="matthews")
    assert data.moved_to("other/data", "matthews").config == "cola"
    for unsaid in (None, "", "owner/model"):
        assert model.moved_to(unsaid) == model
    for unsaid in (None, "", "owner/data"):
        assert data.moved_to(unsaid, "matthews") == data
