"""Which backbone a user asks for, and how it is to run; loads no torch."""

from dataclasses import dataclass, replace

EMBEDDED = "embedded"
"""Name of the backbone that comes with the package."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which backbone a user asks for, and how it is to run.

    Args:
        model: ``embedded``, a local folder, or the id of a model on the Hugging Face hub.
        revision: Branch, tag or commit of a hub model.
        device: ``auto``, ``cpu``, ``cuda`` (or ``cuda:1``) or ``mps``.
        dtype: ``float32`` or ``bfloat16``, of the backbone; adapters and head are float32.
        pooling: ``auto``, or one of the poolings that the backbone's family allows.
        family: YAML file that describes an architecture which the package does not know.
        allow_pickle: Whether weights may be read from pickle files, which can run any code.
        trust_remote_code: Whether code that comes with the model may run.
    """

    model: str = EMBEDDED
    revision: str | None = None
    device: str = "auto"
    dtype: str = "float32"
    pooling: str = "auto"
    family: str | None = None
    allow_pickle: bool = False
    trust_remote_code: bool = False

    def moved_to(self, place: str | None) -> "ModelSettings":
        """The same backbone where it lies now; unchanged where ``place`` is None or empty.

        A revision belongs to the place that it was said of.
        """
        if not place or place == self.model:
            return self
        return replace(self, model=place, revision=None)
