"""Seeds that depend on what is done and not on when, so a resumed study repeats nothing else."""

import hashlib


def derive_seed(study_seed: int, *what: str | int) -> int:
    """A seed within ``[0, 2³¹)`` from the study's seed and a description of its use.

    Evaluations use the layout's id and the replicate, samplers the trial's number and the attempt.
    """
    text = "/".join(map(str, (study_seed, *what)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
