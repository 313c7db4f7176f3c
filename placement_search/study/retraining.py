"""A layout's retrainings: their seeds, the same in finals, references and exports, or new ones."""

from placement_search.evaluation.evaluate import Evaluation
from placement_search.layout import Layout
from placement_search.space.training import NO_CHOICE, TrainingChoice
from placement_search.study.definition import StudyDefinition
from placement_search.study.seeds import derive_seed


def retraining(
    asked: StudyDefinition,
    layout: Layout,
    replicate: int,
    training: TrainingChoice = NO_CHOICE,
    *,
    is_timed: bool = False,
) -> Evaluation:
    """A layout's training from one of its fresh seeds, which the test split is read after.

    In a paired study the same replicate of all layouts sees the examples in the same order, so that
    what one order is worth drops out of their differences; initial values are each layout's own.

    Args:
        asked: The study's seed and training, and whether its finals are paired.
        layout: What is trained.
        replicate: From 1; 0 is the search's own evaluation.
        training: Settings of this layout in place of the study's own.
        is_timed: Whether latency is measured.
    """
    is_paired = asked.is_paired and replicate > 0
    order = derive_seed(asked.seed, "order", replicate) if is_paired else None
    return Evaluation(
        layout,
        derive_seed(asked.seed, layout.id, replicate),
        asked.training.with_choice(training),
        is_final=True,
        is_timed=is_timed,
        order_seed=order,
    )


def confirming(
    asked: StudyDefinition,
    layout: Layout,
    replicate: int,
    training: TrainingChoice = NO_CHOICE,
) -> Evaluation:
    """A layout's training from a seed that no final has, however many seeds those are given.

    Args:
        asked: The study's seed and training.
        layout: What is trained.
        replicate: From 1.
        training: Settings of this layout in place of the study's own.
    """
    return Evaluation(
        layout,
        derive_seed(asked.seed, "confirmation", layout.id, replicate),
        asked.training.with_choice(training),
        is_final=True,
    )
