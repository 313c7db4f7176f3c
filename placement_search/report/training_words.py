"""That an answer and its baselines were trained with different settings, in plain words."""

from placement_search.report.findings import Findings


def training_sentence(findings: Findings) -> str:
    """What compared layouts were trained with where the answer was trained otherwise; or empty.

    Random layouts of the answer's size are trained as it was.
    """
    answer = findings.answer
    if answer is None:
        return ""
    ours, names = answer.chosen.trial.training, {c.name for c in answer.comparisons}
    compared = {f.trial.training for f in findings.finalists if f.trial.role in names}
    others = sorted(training.notation for training in compared - {ours})
    if not others:
        return ""
    return (
        f"The answer was trained with {ours.notation}, baselines and layouts from elsewhere with "
        f"{' or '.join(others)}, nearest to the command's settings, so what it gains over them is "
        "due to places and settings together; only random layouts of its size were trained as it "
        "was."
    )
