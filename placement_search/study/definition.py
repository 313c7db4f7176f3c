"""What a study is: the choices and facts that make two runs the same study."""

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

from pydantic import TypeAdapter, ValidationError

from placement_search.backbones.facts import BackboneFacts
from placement_search.backbones.settings import ModelSettings
from placement_search.errors import StudyError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.space.training import NO_CHOICE
from placement_search.study.settings import DEFAULT_GAMMAS
from placement_search.study.starts import StartLayout
from placement_search.tasks.settings import DataSettings

NOT_COMPARED = frozenset({
    "model.model", "model.revision", "model.device", "model.family", "model.allow_pickle",
    "model.trust_remote_code", "data.data", "data.config", "data.metric", "space_file",
    "start_files", "backbone.id", "backbone.revision",
})  # fmt: skip
"""Where things lie may change; what they are, by content and fingerprint, may not."""
RECORDED_PACKAGES = (
    "placement-search", "torch", "transformers", "datasets", "optuna", "numpy", "scikit-learn",
    "scipy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StudyDefinition:
    """What must not change while a study lives; compared whenever it is continued.

    Args:
        model: As the user gave it.
        data: As the user gave it.
        space_file: As the user gave it; the content is what is compared.
        space: The whole content of the space file.
        sampler: Name of the sampler.
        pruner: Name of the pruner.
        seed: The study's seed.
        max_params: The budget as given.
        n_random: Random layouts among the baselines.
        training: How every layout is trained.
        backbone: Facts of the backbone, its weights' fingerprint among them.
        data_fingerprint: Fingerprint of all splits.
        family: How the backbone's residual stream was found.
        device: Kind of device that it runs on, e.g. ``cpu``.
        target: What labels are: ``single-label``, ``multi-label`` or ``regression``.
        metric: What scores are, e.g. ``accuracy``.
        is_higher_better: Whether a larger score is a better one.
        concurrency: Trials that may be under way at once, and so which trials each one knew of;
            studies of earlier versions had one.
        baseline_set: Which baselines it has: 1 for those of earlier versions, 2 for more at equal
            budget, 3 for LoRA as well, 4 for every-layer adapters at the budget that do without a
            norm where they must, 5 for baselines that keep every limit and spend what it leaves,
            and for layouts from elsewhere that are trained as they were there, and adapted where
            the space lacks them, 6 for ones that without a budget may cost what the dearest layout
            of the space does, whatever its other limits and groups, 7 for random ones whose size
            places that the space lacks do not limit; kept for the study's whole life.
        is_paired: Whether replicates of the finals see the examples in one order for all layouts;
            kept as well.
        start_from: Layouts from elsewhere that are evaluated after the baselines, by role.
        start_files: Where those lie, as the user gave it; the content is what is compared.
        max_bytes: Limit on bytes as given.
        max_flops: Limit on operations as given.
        max_latency: Limit on latency as given.
        fidelity: What trials get more of from rung to rung.
        replicates: Trainings of a trial from different seeds.
        cost: What the score is set against; None where the score is all.
        has_proxy_map: Whether every connection is scored by proxies before the search; studies of
            earlier versions do not say, see `records.read_definition`.
        gammas: Strengths of the discount in samplers' greedy choices by the proxies.
    """

    model: ModelSettings
    data: DataSettings
    space_file: str
    space: dict[str, Any]
    sampler: str
    pruner: str
    seed: int
    max_params: str | None
    n_random: int
    training: TrainingPlan
    backbone: BackboneFacts
    data_fingerprint: str
    family: dict[str, Any]
    device: str
    target: str
    metric: str
    is_higher_better: bool
    concurrency: int = 1
    baseline_set: int = 1
    is_paired: bool = False
    start_from: dict[str, StartLayout] = field(default_factory=dict)
    start_files: tuple[str, ...] = ()
    max_bytes: str | None = None
    max_flops: str | None = None
    max_latency: str | None = None
    fidelity: str = "epochs"
    replicates: int = 1
    cost: str | None = None
    has_proxy_map: bool = True
    gammas: tuple[float, ...] = DEFAULT_GAMMAS

    @property
    def sign(self) -> int:
        """What a score is multiplied by so that larger is better."""
        return 1 if self.is_higher_better else -1

    @property
    def budget(self) -> str:
        """The limits on a layout as they were given; empty where there are none."""
        given = {
            "parameters": self.max_params,
            "bytes": self.max_bytes,
            "operations": self.max_flops,
            "latency": self.max_latency,
        }
        return ", ".join(f"{what}: {limit}" for what, limit in given.items() if limit is not None)

    @property
    def space_training(self) -> str:
        """Training settings that the space proposes or fixes, as its file has them; or empty."""
        said = self.space.get("training", {}).items()
        return ", ".join(f"{name}: {value}" for name, value in said if value is not None)

    def as_json(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        dumped: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return dumped

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "StudyDefinition":
        """Read what `as_json` gave.

        Raises:
            StudyError: If another version of this package wrote something else.
        """
        try:
            return _ADAPTER.validate_python(data)
        except ValidationError as error:
            wrong = ", ".join(".".join(map(str, e["loc"])) for e in error.errors()[:3])
            raise StudyError(
                "the study was made by another version of placement-search, which kept other facts "
                f"({wrong}); continue it with that version, or start a new study"
            ) from error

    def kept(self, held: "StudyDefinition") -> "StudyDefinition":
        """What is asked for now, with what only the study's maker chose: that of ``held``."""
        number, starts = held.baseline_set, self.start_from
        if number < WHOLE_BUDGET:  # files said nothing of training then
            starts = {role: replace(s, training=NO_CHOICE) for role, s in starts.items()}
        return replace(self, baseline_set=number, is_paired=held.is_paired, start_from=starts)

    def check_same(self, other: "StudyDefinition", study_name: str) -> None:
        """Check that ``other``, which was asked for now, means this same study.

        Raises:
            StudyError: Showing every difference.
        """
        ours, theirs = _flat(self.as_json()), _flat(other.as_json())
        lines = [
            f"  {key}: {ours.get(key, 'absent')} in the study, {theirs.get(key, 'absent')} asked"
            for key in sorted(ours.keys() | theirs.keys())
            if ours.get(key) != theirs.get(key) and key not in NOT_COMPARED
        ]
        if lines:
            cure = (
                "Repeat the study's own settings, as the command does that `placement-search "
                f"status --study-name {study_name}` shows, or choose another --study-name."
            )
            head = f"study {study_name!r} was made with other settings:"
            raise StudyError("\n".join([head, *lines, cure]))


WHOLE_BUDGET = 5
"""The set from which on baselines keep every limit and spend what it leaves, and layouts from
elsewhere are trained as they were there, and adapted."""
DEAREST_OF_ALL = 6
"""The set from which on what they may cost without a budget is the dearest layout's, counted."""
PRICED_IN_SPACE = 7
"""The set from which on places that a space lacks do not make random layouts smaller."""
NEWEST_BASELINES = PRICED_IN_SPACE
"""The set of baselines that new studies have."""

_ADAPTER = TypeAdapter(StudyDefinition)


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on, and the platform."""
    packages = {name: version(name) for name in RECORDED_PACKAGES}
    return {"python": sys.version.split()[0], "platform": platform.platform(), **packages}


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    """Nested mappings as one mapping with dotted keys."""
    if not isinstance(value, dict):
        return {prefix: value}
    return {
        inner: leaf
        for key, part in value.items()
        for inner, leaf in _flat(part, f"{prefix}.{key}" if prefix else str(key)).items()
    }
