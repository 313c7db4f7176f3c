"""That an answer and what it is compared with were trained otherwise, in plain words."""

from collections.abc import Iterator

from placement_search.report.findings import Findings
from placement_search.study.answer import Answer
from placement_search.study.definition import WHOLE_BUDGET


def training_sentence(findings: Findings) -> str:
    """What compared layouts were trained with where the answer was trained otherwise; or empty.

    Random layouts of the answer's size are trained as it was.
    """
    answer = findings.answer
    others = [*_others(findings, answer)] if answer else []
    if answer is None or not others:
        return ""
    return (
        f"The answer was trained with {answer.chosen.trial.training.notation}; "
        f"{'; '.join(others)}. What it gains over these is due to places and settings together; "
        "random layouts of its size were trained as it was."
    )


def _others(findings: Findings, answer: Answer) -> Iterator[str]:
    """Baselines, then layouts from elsewhere, that were trained otherwise than the answer."""
    ours, names = answer.chosen.trial.training, {c.name for c in answer.comparisons}
    compared = [f.trial for f in findings.finalists if f.trial.role in names]
    as_command, as_found = "nearest to the command's settings", "nearest to how they were found"
    is_old = findings.record.definition.baseline_set < WHOLE_BUDGET
    for who, is_start, why in (
        ("baselines", False, as_command),
        ("layouts from elsewhere", True, as_command if is_old else as_found),
    ):
        theirs = {trial.training for trial in compared if trial.is_start == is_start}
        others = sorted(training.notation for training in theirs - {ours})
        if others:
            some = "" if ours not in theirs else "some "
            yield f"{some}{who} with {' or '.join(others)}, {why}"
