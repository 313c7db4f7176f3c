"""How layouts from elsewhere did: what placements found on another task are worth on this one."""

from dataclasses import dataclass

from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.study.answer import MIN_SEEDS, Finalist, against, read_finalists
from placement_search.study.random_gain import RandomGain, random_gain
from placement_search.study.records import StudyRecord, TrialRecord
from placement_search.study.starts import StartLayout


@dataclass(frozen=True, slots=True)
class Transfer:
    """A layout from elsewhere, there and here.

    Args:
        role: Its role in this study.
        start: What its file says.
        note: Why it is not admitted, or that the study has the layout anyway; empty otherwise.
        is_same_backbone: Whether it was found on this study's backbone.
        trial: Its trial here; None before it is complete.
        rank: Its place among the complete trials, from 1; None before it is complete.
        finalist: Its retrainings; None before there are any.
        random: Its gain over random layouts of its size; None before it is retrained twice.
    """

    role: str
    start: StartLayout
    note: str
    is_same_backbone: bool
    trial: TrialRecord | None
    rank: int | None
    finalist: Finalist | None
    random: RandomGain | None


def find_transfers(record: StudyRecord) -> list[Transfer]:
    """Every layout that the study was to start from, in the order of their roles."""
    finalists = {finalist.trial.layout_id: finalist for finalist in read_finalists(record)}
    found = []
    for role, start in record.definition.start_from.items():
        rank, trial = _place(record, role, start)
        finalist = finalists.get(trial.layout_id) if trial else None
        is_measured = finalist is not None and len(finalist.tests) >= MIN_SEEDS
        found.append(
            Transfer(
                role=role,
                start=start,
                note=record.queue_notes.get(role, ""),
                is_same_backbone=start.backbone == record.definition.backbone.fingerprint,
                trial=trial,
                rank=rank,
                finalist=finalist,
                random=_gain(record, finalist) if finalist and is_measured else None,
            )
        )
    return found


def _place(
    record: StudyRecord, role: str, start: StartLayout
) -> tuple[int, TrialRecord] | tuple[None, None]:
    """Rank and trial of a start's layout: in its own role, else the best, however it is trained."""
    notation = parse_layout(start.layout, MODULE_TYPES).notation
    ranked = [(n, t) for n, t in enumerate(record.ranking, 1) if t.layout == notation]
    own = [(rank, trial) for rank, trial in ranked if trial.role == role]
    return next(iter(own + ranked), (None, None))


def _gain(record: StudyRecord, finalist: Finalist) -> RandomGain:
    return random_gain(record, finalist.trial, against(finalist, record))
