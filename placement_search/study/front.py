"""The Pareto front of a study: the layouts that nothing both cheaper and better makes needless."""

from collections.abc import Collection

from placement_search.study.objective import cost_of
from placement_search.study.records import StudyRecord, TrialRecord


def admitted_front(record: StudyRecord, cost: str) -> list[TrialRecord]:
    """The front without layouts that were measured to be slower than the study's limit allows."""
    return pareto_front(record, cost, without=record.too_slow)


def pareto_front(
    record: StudyRecord, cost: str, *, without: Collection[str] = ()
) -> list[TrialRecord]:
    """The admitted complete trials that no other beats, cheapest first.

    One trial beats another where it costs no more and scores no worse, and is better in one of the
    two; of equals the first stays. Scores are the search's own, so luck is part of them.

    Args:
        record: The study.
        cost: What a layout costs; see `COSTS`.
        without: Ids of layouts that are left out. Finalists are sought along the search's own
            front, which later measurements do not change.
    """
    sign = record.definition.sign
    front: list[TrialRecord] = []
    best = float("-inf")
    admitted = [t for t in record.trials if t.is_eligible and t.layout_id not in without]
    complete = [(cost_of(t.card, cost), -sign * t.card.score, t.number, t)
                for t in admitted if t.card]  # fmt: skip
    for _, loss, _, trial in sorted(complete, key=lambda each: each[:3]):
        if -loss > best:
            best = -loss
            front.append(trial)
    return front
