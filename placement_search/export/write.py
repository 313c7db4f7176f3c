"""Both files of a trained layout, written together."""

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from safetensors.torch import save

from placement_search.adapted.model import AdaptedBackbone
from placement_search.export.check import weights_of
from placement_search.export.layout_file import LAYOUT_NAME, WEIGHTS_NAME, LayoutFile, layout_json
from placement_search.output_files import make_folder, write_whole


class Packed(NamedTuple):
    """Weights as the bytes of a safetensors file, with their SHA-256 in hexadecimal digits."""

    content: bytes
    sha256: str


def packed(model: AdaptedBackbone) -> Packed:
    """The weights of a model, as they are now."""
    content = save(weights_of(model), {"layout_id": model.layout.id})
    return Packed(content, sha256(content).hexdigest())


def write_files(folder: Path, file: LayoutFile, weights: Packed) -> tuple[Path, Path]:
    """Write ``layout.json`` and ``layout.safetensors``; files of an earlier export are replaced.

    Args:
        folder: Made where it is missing.
        file: Holds the weights' SHA-256.
        weights: See `packed`.

    Raises:
        OutputError: If ``folder`` is a file or can't be made.
    """
    make_folder(folder)
    paths = folder / LAYOUT_NAME, folder / WEIGHTS_NAME
    # Interrupted in between, an older layout file does not own the newer weights, and says so.
    write_whole(paths[1], weights.content)
    write_whole(paths[0], layout_json(file))
    return paths
