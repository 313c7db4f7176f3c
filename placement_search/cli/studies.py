"""``status``, ``trials`` and ``best``: what a study holds, without loading a model."""

from typing import TYPE_CHECKING, Annotated

import typer

from placement_search.cli.options import (
    DEFAULTS,
    Format,
    FormatOption,
    StorageOption,
    StudyOption,
    exit_codes,
)
from placement_search.cli.output import Cell, Row, print_facts, print_rows
from placement_search.layout import shortened

if TYPE_CHECKING:
    from placement_search.study.answer import Answer
    from placement_search.study.records import StudyRecord, TrialRecord


def status(
    storage: StorageOption = DEFAULTS.storage,
    study_name: StudyOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Show how far a study is, whether a search uses its storage now, and its command.

    Of a storage with several studies it shows each in a line, unless one is named.

    Example: placement-search status --storage sqlite:///study.db
    """
    with exit_codes():
        from placement_search.study.records import load_record
        from placement_search.study.storage import has_coordinator, study_names

        names = study_names(storage) if study_name is None else []
        if len(names) > 1:
            is_in_use = has_coordinator(storage)
            rows = [_line_of(storage, name, form, is_in_use=is_in_use) for name in names]
            print_rows(rows, form, title=f"studies in {storage}; choose by --study-name")
            return
        record = load_record(storage, study_name)
        print_facts(_status_facts(record, is_in_use=has_coordinator(storage)), form)


LINE = (
    "study", "n_trials", "complete", "finals", "finals_missing", "is_final", "incumbent_score",
    "is_storage_in_use", "incumbent",
)  # fmt: skip
"""What is shown of a study among others."""


def _line_of(storage: str, name: str, form: Format, *, is_in_use: bool | None) -> Row:
    """A study among others, without facts where no search of ours made it."""
    from placement_search.errors import StudyError
    from placement_search.study.records import load_record

    try:
        facts = _status_facts(load_record(storage, name), is_in_use=is_in_use)
    except StudyError:
        return dict.fromkeys(LINE) | {"study": name, "is_storage_in_use": is_in_use}
    incumbent = facts["incumbent"]
    if incumbent and form is Format.TABLE:
        facts = {**facts, "incumbent": shortened(str(incumbent))}
    return {column: facts[column] for column in LINE}


def trials(
    storage: StorageOption = DEFAULTS.storage,
    study_name: StudyOption = None,
    limit: Annotated[
        int, typer.Option(min=0, help="Rows to show, best first.", show_default="0, all")
    ] = 0,
    form: FormatOption = Format.TABLE,
) -> None:
    """List a study's trials: complete ones best first, then the others.

    Example: placement-search trials --limit 10 --format csv
    """
    with exit_codes():
        from placement_search.study.records import load_record

        record = load_record(storage, study_name)
        rest = [trial for trial in record.trials if trial.card is None]
        rows = [_trial_row(trial, form) for trial in [*record.ranking, *rest]]
        print_rows(rows[: limit or None], form, title=f"study {record.name}")


def best(
    storage: StorageOption = DEFAULTS.storage,
    study_name: StudyOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Show the study's answer: the layout chosen in the finals, or the incumbent before them.

    Of a study that set the score against a cost it shows the Pareto front, cheapest first, then
    the answer where it lies off the front: the front's scores are the search's own.

    Example: placement-search best --format json
    """
    with exit_codes():
        from placement_search.errors import StudyError
        from placement_search.study.answer import find_answer
        from placement_search.study.records import load_record

        record = load_record(storage, study_name)
        answer = find_answer(record)
        trial = answer.chosen.trial if answer else record.incumbent
        if trial is None:
            raise StudyError(f"study {record.name!r} has no complete trial that its space admits")
        if record.definition.cost:
            rows = _front_rows(record, answer)
            gain = _gain_facts(record, answer)
            if form is not Format.TABLE:
                others = dict.fromkeys(gain) if answer else gain
                rows = [{**row, **(gain if row["is_answer"] else others)} for row in rows]
            print_rows(rows, form, title=f"Pareto front of {record.name}")
            if form is Format.TABLE:
                print_facts(gain, form)
            return
        print_facts(_best_facts(record, trial, answer), form)


def _status_facts(record: "StudyRecord", *, is_in_use: bool | None) -> Row:
    from placement_search.study.answer import find_answer
    from placement_search.study.finalists import n_missing_finals
    from placement_search.study.records import TrialEnd

    incumbent, n_missing = record.incumbent, n_missing_finals(record)
    return {
        "study": record.name,
        "storage": record.storage,
        "is_storage_in_use": is_in_use,
        "n_trials": record.goal.n_trials,
        **{end.value: len(record.ended(end)) for end in TrialEnd},
        "finals": len(record.finals),
        "finals_missing": n_missing,
        "is_final": not n_missing and find_answer(record) is not None,
        "incumbent": incumbent.layout if incumbent else None,
        "incumbent_score": incumbent.score if incumbent else None,
        "command": record.command,
    }


def _best_facts(record: "StudyRecord", trial: "TrialRecord", answer: "Answer | None") -> Row:
    """The layout, what it costs, how it scored, and what its places gained; unknown cells empty."""
    from placement_search.study.finalists import lacks_seeds

    chosen = answer.chosen if answer else None
    costs = chosen.costs if chosen else trial.card.costs if trial.card else None
    validation, test = (chosen.validation, answer.test) if chosen and answer else (None, None)
    return {
        "layout": trial.layout,
        "layout_id": trial.layout_id,
        "trial": trial.number,
        "role": trial.role,
        "n_adapter_parameters": trial.n_adapter_parameters,
        "n_flops": costs.n_flops if costs else None,
        "flops_factor": costs.flops_factor if costs else None,
        "latency_factor": costs.latency_factor if costs else None,
        "search_score": trial.score,
        "is_final": answer is not None and not lacks_seeds(record),
        "validation": validation.mean if validation else None,
        "validation_low": validation.low if validation else None,
        "validation_high": validation.high if validation else None,
        "test": test.mean if test else None,
        "test_low": test.low if test else None,
        "test_high": test.high if test else None,
        "n_seeds": test.n if test else 0,
        "n_confirming": answer.n_confirming if answer else 0,
        **_gain_facts(record, answer),
    }


def _gain_facts(record: "StudyRecord", answer: "Answer | None") -> Row:
    """The answer's gain over random layouts of its size; where it was not measured, why."""
    from placement_search.study.finalists import why_unanswered

    gain = answer.random if answer else None
    compared = gain.comparison if gain else None
    return {
        "gain_over_random": compared.gain.mean if compared else None,
        "gain_low": compared.gain.low if compared else None,
        "gain_high": compared.gain.high if compared else None,
        "verdict": compared.verdict if compared else None,
        "n_random_layouts": gain.n_layouts if gain else 0,
        "gain_not_measured": gain.reason or None if gain else why_unanswered(record),
    }


def _front_rows(record: "StudyRecord", answer: "Answer | None") -> list[Row]:
    """The front's layouts, and the answer; with their means over fresh seeds where there are some.

    The front goes by the search's own scores, so the answer, chosen by those means, may lie off it.
    Its test score is that of the trainings after the choice, as elsewhere.
    """
    from placement_search.study.answer import read_finalists
    from placement_search.study.front import admitted_front
    from placement_search.study.objective import cost_of

    cost = record.definition.cost or ""
    retrained = {f.trial.layout_id: f for f in read_finalists(record) if f.is_comparable}
    tested = {layout_id: finalist.test.mean for layout_id, finalist in retrained.items()}
    if answer:
        tested[answer.chosen.trial.layout_id] = answer.test.mean
    front = admitted_front(record, cost)
    on_front = {trial.layout_id for trial in front}
    chosen = answer.chosen.trial if answer else None
    shown = [*front, chosen] if chosen and chosen.layout_id not in on_front else front
    return [
        {
            "trial": trial.number,
            "score": trial.score,
            cost: cost_of(trial.card, cost) if trial.card else None,
            "validation": finalist.validation.mean if finalist else None,
            "test": tested.get(trial.layout_id),
            "is_answer": chosen is not None and trial.layout_id == chosen.layout_id,
            "is_on_front": trial.layout_id in on_front,
            "role": trial.role,
            "layout_id": trial.layout_id,
            "layout": trial.layout,
        }
        for trial, finalist in ((each, retrained.get(each.layout_id)) for each in shown)
    ]


def _trial_row(trial: "TrialRecord", form: Format) -> Row:
    """What to show of a trial; a table says it in words and shortens long layouts."""
    admitted: Cell = trial.is_eligible
    layout = trial.layout
    if form is Format.TABLE:
        admitted = "yes" if trial.is_eligible else "no"
        layout = shortened(layout)
    return {
        "trial": trial.number,
        "score": trial.score,
        "end": trial.end.value,
        "role": trial.role,
        "parameters": trial.n_adapter_parameters,
        "flops_factor": trial.card.costs.flops_factor if trial.card else None,
        "seconds": trial.card.train_seconds if trial.card else None,
        "admitted": admitted,
        "layout_id": trial.layout_id,
        "layout": layout,
    }
