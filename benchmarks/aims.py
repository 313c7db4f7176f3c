"""Whether the default sampler needs as few trials as it is meant to."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from benchmarks.results import Result, Split, grouped

JUDGED = "guided"
"""The default, which is to be good in few of the others' trials."""
AIMS = {"random": 3.0, "tpe": 1.5}
"""How many times as many trials each of these is to need."""
TITLES = {"singles": "single connections", "sets": "one to six connections"}
"""What a space holds, by its name."""


class Aim(StrEnum):
    """Whether the default needs as few trials as it is meant to."""

    MET = "it does on"
    MISSED = "it does not on"
    OPEN = "these searches are too short to tell on"


def aim_lines(results: Sequence[Result], longest: int, split: Split) -> list[str]:
    """Where the default needs as few trials as it is meant to; nothing where it was not run.

    Args:
        results: Of all tasks, spaces and samplers.
        longest: Trials of a search that never came close.
        split: By whose scores a layout is close.
    """
    found: dict[Aim, list[str]] = {}
    for (task, space), group in grouped(results).items():
        aim = aim_of({each.sampler: each.trials_by(split) for each in group}, longest)
        if aim is not None:
            found.setdefault(aim, []).append(f"`{task}` ({TITLES[space]})")
    if not found:
        return []
    said = [f"{aim} {len(found[aim])}: {', '.join(found[aim])}" for aim in Aim if aim in found]
    meant = (
        f"`{JUDGED}` is meant to need at most a third of random search's trials and two thirds of "
        f"TPE's. By {split} scores "
    )
    return ["", f"{meant}{'; '.join(said)}."]


def aim_of(trials: Mapping[str, float | None], longest: int) -> Aim | None:
    """Whether the default needs as few trials as it is meant to.

    Who never was good enough needs more trials than were run, nobody knows how many.

    Args:
        trials: Median by sampler; None where most searches never were good enough.
        longest: Trials of a search that never came close.

    Returns:
        None where the default or a rival is missing.
    """
    if not {JUDGED, *AIMS} <= set(trials):
        return None
    own, more = trials[JUDGED], longest + 1
    rivals = [(trials[name], factor) for name, factor in AIMS.items()]
    least = more if own is None else own
    if any(needed is not None and least * factor > needed for needed, factor in rivals):
        return Aim.MISSED
    if own is not None and all(
        own * factor <= (more if needed is None else needed) for needed, factor in rivals
    ):
        return Aim.MET
    return Aim.OPEN
