"""What pages point at is there."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def pages() -> list[str]:
    """Every Markdown file of the repository, or of what was unpacked."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "*.md"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):
        listed = []
    if "README.md" not in listed:
        listed = [str(path.relative_to(ROOT)) for path in ROOT.glob("*.md")]
        listed += [str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")]
    return [name for name in listed if name]


def without_code(text: str) -> str:
    """Text whose blocks and spans of code are gone, which hold no links."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names of its headings, as they are linked to."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", pages())
def test_links_lead_somewhere(name: str) -> None:
    """To files and headings of the repository; addresses of the web are not asked."""
    page = ROOT / name
    for target in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"https?:", target):
            continue
        path, _, heading = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), f"{name} points at {target}"
        assert not heading or heading in anchors(there), f"{name} points at {target}"
