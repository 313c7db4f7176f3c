"""What an evaluation gives."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Costs:
    """What a layout costs.

    Args:
        n_adapter_parameters: Trainable parameters of the adapters, or of the backbone where that
            is what was trained.
        n_head_parameters: Parameters of the head, the same for every layout.
        n_bytes: Size of adapters and head in float32 on disk, the file's header left out.
        n_flops: Floating-point operations of one forward pass for one example.
        flops_factor: The same, relative to the bare backbone with its head.
        latency_factor: Measured time of one forward pass relative to the bare backbone with its
            head; None where it was not measured.
    """

    n_adapter_parameters: int
    n_head_parameters: int
    n_bytes: int
    n_flops: int
    flops_factor: float
    latency_factor: float | None = None


@dataclass(frozen=True, slots=True)
class ScoreCard:
    """The outcome of one evaluation.

    Args:
        score: The task's metric on the validation split after the last epoch; of a trial with
            replicates the mean of its trainings'.
        history: The same at every report that was scored; its last entry is ``score``.
        test_score: The metric on the test split; None where it was not read.
        seed: Seed of initial values, and of the order of examples where that has none of its own.
        n_steps: Optimizer steps taken.
        train_seconds: Wall-clock time of training and validation.
        costs: What the layout costs.
    """

    score: float
    history: tuple[float, ...]
    test_score: float | None
    seed: int
    n_steps: int
    train_seconds: float
    costs: Costs
