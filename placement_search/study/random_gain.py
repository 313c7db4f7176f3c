"""What a layout gains over random layouts of exactly its size: their modules are its own."""

import statistics
from dataclasses import dataclass, replace

from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.space.training import TrainingChoice
from placement_search.study.baselines import RANDOM
from placement_search.study.comparisons import Against, Comparison
from placement_search.study.records import (
    REFERENCE,
    FinalRecord,
    ReferenceRecord,
    StudyRecord,
    TrialRecord,
)

MIN_LAYOUTS = 2
"""Random layouts that an interval needs."""

Size = tuple[tuple[str, ...], TrainingChoice]
"""Modules of a layout's connections, and how it is trained."""


@dataclass(frozen=True, slots=True)
class RandomGain:
    """The gain over random layouts at equal budget, or why it was not measured.

    Args:
        comparison: On the test split; None where it was not measured.
        n_layouts: Random layouts of the size that were trained and tested.
        n_seeds: The fewest seeds that one of them has; 0 where there are none.
        reason: Why it was not measured; empty otherwise.
        most_seeds: The most seeds that one of them has; 0 where there are none.
        n_wanted: Random layouts of the size that the study is to have.
        seeds_wanted: Seeds that each of them is to have.
        n_found: Random layouts of the size that draws from the space found, where they were fewer
            than that; else None, also in studies of versions that did not keep it.
        n_gaps: Trainings of random layouts drawn for it that can give no score.
    """

    comparison: Comparison | None
    n_layouts: int
    n_seeds: int
    reason: str = ""
    most_seeds: int = 0
    n_wanted: int = 0
    seeds_wanted: int = 0
    n_found: int | None = None
    n_gaps: int = 0

    @property
    def lacks_seeds(self) -> bool:
        """Whether some random layout has fewer seeds than it is to have."""
        return self.n_layouts > 0 and self.n_seeds < self.seeds_wanted

    @property
    def lacks_layouts(self) -> bool:
        """Whether there are fewer than the study is to have."""
        return self.n_layouts < self.n_wanted

    @property
    def is_all_there_is(self) -> bool:
        """Whether no more of them were found in the space."""
        return self.n_found is not None and self.n_layouts >= self.n_found


def random_gain(
    record: StudyRecord, trial: TrialRecord, against: Against, *, is_picked: bool = False
) -> RandomGain:
    """The gain of a trial's layout over the random layouts of its size that the study holds.

    One value per random layout, the mean over its seeds, since seeds of one layout share its places
    and are no independent draws of them.

    Args:
        record: The study after its finals.
        trial: Whose gain it is.
        against: Its test scores.
        is_picked: Whether it is a random baseline that was picked as the best of them: the rest
            would lie too low, so it is compared with layouts drawn apart from them.
    """
    tested = _tested_of_its_size(record, trial, is_picked=is_picked)
    counts = [len(each) for each in tested]
    gain = RandomGain(
        None,
        len(tested),
        n_seeds=min(counts, default=0),
        most_seeds=max(counts, default=0),
        n_wanted=record.definition.n_random,
        seeds_wanted=record.goal.n_seeds,
        n_found=record.alike.get(trial.layout_id),
        n_gaps=sum(k.startswith(REFERENCE) and f"/{trial.layout_id}/" in k for k in record.gaps),
    )
    if len(tested) < MIN_LAYOUTS:
        return replace(gain, reason=_why_not(trial, gain, is_picked=is_picked))
    name = f"{len(tested)} random layouts of the same size"
    means = [statistics.fmean(score for score, _ in each) for each in tested]
    # Modules inside sub-layers may have more or fewer parameters at other places.
    n_parameters = round(statistics.fmean(each[0][1] for each in tested))
    return replace(gain, comparison=against.independent(name, n_parameters, means))


def size_of(trained: TrialRecord | ReferenceRecord) -> Size:
    """What layouts share whose scores differ by their places alone; modules are sorted."""
    layout = parse_layout(trained.layout, MODULE_TYPES)
    return tuple(sorted(c.module.notation for c in layout.connections)), trained.training


def reads_alike(one: str, other: str) -> bool:
    """Whether two layouts' recurrent connections, where both have some, read the same first pass.

    Within a study they do; a layout from elsewhere may have been found with the other one.
    """
    layouts = [parse_layout(notation, MODULE_TYPES) for notation in (one, other)]
    return len({each.first_pass for each in layouts if each.is_recurrent}) < 2


def random_baselines(record: StudyRecord) -> list[TrialRecord]:
    """The complete ones."""
    return [trial for trial in record.trials if is_random(trial) and trial.card]


def is_random(trial: TrialRecord) -> bool:
    """Whether its layout was drawn at random as a baseline."""
    return trial.role.startswith(RANDOM)


def references_alike(record: StudyRecord, trial: TrialRecord) -> list[ReferenceRecord]:
    """Trainings of random layouts of the size of ``trial``, and not itself, drawn for it or not."""
    wanted = size_of(trial)
    drawn = [r for r in record.references if r.layout and size_of(r) == wanted]
    return [r for r in drawn if r.layout != trial.layout and reads_alike(r.layout, trial.layout)]


def _tested_of_its_size(
    record: StudyRecord, trial: TrialRecord, *, is_picked: bool
) -> list[list[tuple[float, int]]]:
    """Test scores by seed of each random layout of the size of ``trial``, and not itself.

    Each with the layout's adapter parameters. A seed of a layout counts once, also where it is held
    twice: for a baseline, and for a reference. Layouts that lack seeds count only while those with
    all of them are too few, and only baselines and what was drawn for this trial: the study does
    not go on with others.
    """
    wanted = size_of(trial)
    baselines = [] if is_picked else random_baselines(record)
    alike = [t for t in baselines if size_of(t) == wanted and reads_alike(t.layout, trial.layout)]
    layouts = {t.layout_id: t.layout for t in alike}
    trained: list[tuple[str, FinalRecord | ReferenceRecord]] = [
        (layouts[f.layout_id], f) for f in record.finals if f.layout_id in layouts
    ]
    references = references_alike(record, trial)
    trained += [(r.layout, r) for r in references]
    tested: dict[str, dict[int, tuple[float, int]]] = {}
    for layout, held in trained:
        score, n_parameters = held.card.test_score, held.card.costs.n_adapter_parameters
        if layout != trial.layout and score is not None:
            tested.setdefault(layout, {}).setdefault(held.replicate, (score, n_parameters))
    counted = {layout for layout, each in tested.items() if len(each) >= record.goal.n_seeds}
    if len(counted) < record.definition.n_random:
        counted |= {r.layout for r in references if r.like == trial.layout_id}
        counted |= set(layouts.values())
    return [list(each.values()) for layout, each in tested.items() if layout in counted]


def _why_not(trial: TrialRecord, gain: RandomGain, *, is_picked: bool) -> str:
    if trial.n_adapter_parameters == 0:
        return "it has no connections that could lie elsewhere"
    drawn = ", drawn apart from the baselines that it is one of," if is_picked else ""
    layouts = "1 random layout" if gain.n_layouts == 1 else f"{gain.n_layouts} random layouts"
    held = (
        f"the study holds {layouts} of its size{drawn} with a test score and an interval needs "
        f"{MIN_LAYOUTS}: "
    )
    if gain.is_all_there_is:
        return f"{held}draws found no more in the space"
    gaps = f"{gain.n_gaps} of their trainings gave no score; " if gain.n_gaps else ""
    return (
        f"{held}{gaps}the search stopped before them, or their training was interrupted or gave no "
        "score, or an earlier version did not draw them; the same command makes what is missing "
        "and may be had, as far as the space has it"
    )
