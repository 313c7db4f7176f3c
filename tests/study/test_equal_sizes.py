"""Which of equally small layouts is the answer."""

from dataclasses import replace

import pytest

from placement_search.study.answer import find_answer
from placement_search.study.records import FinalRecord
from tests.tiny_records import finals, study_record, trial

ONE_PASS, TWO_PASSES = "3>9:bottleneck(rank=4)", "9>3:bottleneck(rank=4)"


def at_cost(made: list[FinalRecord], factor: float) -> list[FinalRecord]:
    """Finals whose layout takes so many times the bare backbone's FLOPs."""
    return [
        replace(
            final, card=replace(final.card, costs=replace(final.card.costs, flops_factor=factor))
        )
        for final in made
    ]


@pytest.mark.parametrize(("factor", "chosen"), [(2.01, ONE_PASS), (1.02, TWO_PASSES)])
def test_of_equally_small_layouts_a_second_pass_has_to_be_worth_it(
    factor: float, chosen: str
) -> None:
    """Within one standard error fewer FLOPs decide; a difference of hundredths leaves it to scores.

    The better one's mean is 0.82, its standard error 0.0115.
    """
    better = at_cost(finals(TWO_PASSES, (0.80, 0.84, 0.82)), factor)
    near = at_cost(finals(ONE_PASS, (0.81, 0.83, 0.81)), 1.01)
    answer = find_answer(study_record([trial(0, TWO_PASSES), trial(1, ONE_PASS)], [*better, *near]))

    assert answer is not None
    assert answer.best.trial.layout == TWO_PASSES
    assert answer.chosen.trial.layout == chosen
