"""What a layout gains over random layouts of exactly its size: their modules are its own."""

import statistics
from dataclasses import dataclass

from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.space.training import TrainingChoice
from placement_search.study.baselines import RANDOM
from placement_search.study.comparisons import Against, Comparison
from placement_search.study.records import ReferenceRecord, StudyRecord, TrialRecord

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
    """

    comparison: Comparison | None
    n_layouts: int
    n_seeds: int
    reason: str = ""


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
    n_seeds = min(map(len, tested), default=0)
    if len(tested) < MIN_LAYOUTS:
        return RandomGain(
            None, len(tested), n_seeds, _why_not(trial, len(tested), is_picked=is_picked)
        )
    name = f"{len(tested)} random layouts of the same size"
    means = [statistics.fmean(score for score, _ in each) for each in tested]
    # Modules inside sub-layers may have more or fewer parameters at other places.
    n_parameters = round(statistics.fmean(each[0][1] for each in tested))
    comparison = against.independent(name, n_parameters, means)
    return RandomGain(comparison, len(tested), n_seeds)


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


def _tested_of_its_size(
    record: StudyRecord, trial: TrialRecord, *, is_picked: bool
) -> list[list[tuple[float, int]]]:
    """Test scores by seed of each random layout of the size of ``trial``, and not itself.

    Each with the layout's adapter parameters.
    """
    wanted = size_of(trial)
    baselines = [] if is_picked else random_baselines(record)
    alike = [t for t in baselines if size_of(t) == wanted and reads_alike(t.layout, trial.layout)]
    layouts = {t.layout_id: t.layout for t in alike}
    cards = [(layouts[f.layout_id], f.card) for f in record.finals if f.layout_id in layouts]
    drawn = [r for r in record.references if r.layout and size_of(r) == wanted]
    references = [r for r in drawn if reads_alike(r.layout, trial.layout)]
    cards += [(r.layout, r.card) for r in references]
    tested: dict[str, list[tuple[float, int]]] = {}
    for layout, card in cards:
        if layout != trial.layout and card.test_score is not None:
            tested.setdefault(layout, []).append((card.test_score, card.costs.n_adapter_parameters))
    return list(tested.values())


def _why_not(trial: TrialRecord, n_layouts: int, *, is_picked: bool) -> str:
    if trial.n_adapter_parameters == 0:
        return "it has no connections that could lie elsewhere"
    drawn = ", drawn apart from the baselines that it is one of," if is_picked else ""
    return (
        f"the study holds {n_layouts} random layouts of its size{drawn} with a test score and an "
        f"interval needs {MIN_LAYOUTS}: the space has no more, or the search stopped before them, "
        "or an earlier version did not draw them, which the same command now does"
    )
