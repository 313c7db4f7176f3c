"""What a report says of the head alone: whether adapters pay here at all."""

from placement_search.evaluation.estimates import is_as_good
from placement_search.report.findings import Findings
from placement_search.report.formats import as_estimate
from placement_search.study.answer import Answer
from placement_search.study.baselines import HEAD_ONLY


def pay_sentence(answer: Answer) -> str:
    """Where adapters are not shown to help on the test split; empty where they are.

    Empty too where the head alone was not retrained, so that nothing is known of it.
    """
    found = [c.verdict for c in answer.comparisons if c.name == HEAD_ONLY]
    return _PAID[found[0]] if found else ""


def rule_sentences(findings: Findings) -> list[str]:
    """Where only the space keeps the head alone from being the answer; none elsewhere.

    It has no adapter parameters, so it would be the smallest of the layouts whose mean validation
    score lies within one standard error of the best.
    """
    answer, sign = findings.answer, findings.record.definition.sign
    if answer is None:
        return []
    return [
        (
            "By the same rule the head alone would be the smallest, with a mean of "
            f"{as_estimate(head.validation)}; but an answer has at least one connection, since the "
            "space asks for it."
        )
        for head in findings.finalists
        if head.trial.role == HEAD_ONLY
        and not head.is_admitted
        and head.is_comparable
        and is_as_good(head.validation.mean, answer.floor, sign)
    ]


_PAID = {
    "better": "",
    "not told apart": (
        "That adapters help here is not shown: the answer is not told apart from the head alone."
    ),
    "worse": (
        "The head alone, without any adapter, is better: with this backbone, these data and this "
        "training, adapters did not pay."
    ),
}
