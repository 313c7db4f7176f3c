"""An answer that was trained otherwise than its baselines says so beside the comparisons."""

from dataclasses import replace

from placement_search.report.findings import Findings, gather_findings
from placement_search.report.markdown import as_markdown
from placement_search.report.page import as_html
from placement_search.report.summary import summary_lines
from placement_search.report.training_words import training_sentence
from placement_search.space.training import TrainingChoice
from placement_search.study.definition import NEWEST_BASELINES
from placement_search.study.records import StudyRecord
from tests.tiny_records import finals, study_record, trial

SLOW, FAST = TrainingChoice(0.001), TrainingChoice(0.003)


def trained(ours: TrainingChoice, theirs: TrainingChoice, role: str = "last layers") -> Findings:
    """An answer beside one baseline, or what else has the role."""
    answer, baseline = "3>9:bottleneck(rank=4)", "23>24:bottleneck(rank=4)"
    trials = [
        trial(0, baseline, 0.5, role=role, training=theirs),
        trial(1, answer, 0.8, training=ours),
    ]
    held = [
        *finals(baseline, (0.5, 0.51, 0.52), training=theirs),
        *finals(answer, (0.8, 0.81, 0.82), training=ours),
    ]
    return gather_findings(study_record(trials, held))


def test_other_settings_are_told_in_every_form() -> None:
    """Else a gain of the learning rate would read as one of places."""
    findings = trained(FAST, SLOW)
    said = training_sentence(findings)

    assert said.startswith(
        "The answer was trained with learning_rate=0.003; baselines with learning_rate=0.001, "
        "nearest to the command's settings. What"
    )
    assert said in summary_lines(findings)
    assert "nearest to the command" in as_markdown(findings)
    assert "nearest to the command" in as_html(findings)


def test_layouts_from_elsewhere_are_told_apart_from_baselines() -> None:
    """They are trained as near as may be to how they were found, if the study is not an old one."""
    found = trained(FAST, SLOW, role="start: digits")
    newest = replace(found.record.definition, baseline_set=NEWEST_BASELINES)
    said = training_sentence(replace(found, record=replace(found.record, definition=newest)))

    assert "; layouts from elsewhere with learning_rate=0.001, nearest to how they were" in said
    assert "baselines" not in said
    assert "nearest to the command's settings" in training_sentence(found)


def test_equal_settings_need_no_words(record: StudyRecord, unfinished: StudyRecord) -> None:
    """Searched or not, and before there is an answer."""
    for findings in (trained(FAST, FAST), gather_findings(record), gather_findings(unfinished)):
        assert training_sentence(findings) == ""
