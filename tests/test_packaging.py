"""The wheel works outside the checkout, with weights and search spaces inside."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_wheel_and_sdist_build_and_the_wheel_works_elsewhere(tmp_path: Path) -> None:
    """Installed into an empty folder, it loads the embedded backbone and a shipped space."""
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    (sdist,) = tmp_path.glob("*.tar.gz")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = (
        "import json, placement_search\n"
        "from placement_search.space.file import read_space, shipped_spaces\n"
        "spaces = [read_space(name).name for name in shipped_spaces()]\n"
        "facts = placement_search.load_backbone().facts\n"
        "print(json.dumps([placement_search.__file__, spaces, facts.n_blocks]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    file, spaces, n_blocks = json.loads(done.stdout)

    assert Path(file).is_relative_to(site)
    assert {"extended", "long_range", "per_layer", "recurrent", "unipelt"} <= set(spaces)
    assert n_blocks == 12
    assert sdist.stat().st_size > 1_000_000
