"""The modules' comparison: what is compared, which rate counts, what the page says."""

from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.journal import append
from benchmarks.modules.entries import ENTRIES, REFERENCE, Entry
from benchmarks.modules.merging import COPIED, Copied
from benchmarks.modules.page import Merged, Timed, Trained, _at_an_edge, chosen, page
from benchmarks.modules.run import MERGING, check_begun, write
from placement_search.backbones.loading import load_backbone
from placement_search.modules import check_places, count_parameters
from placement_search.places import Places

N_BLOCKS = 12


@pytest.fixture(scope="module")
def places() -> Places:
    """Those of the embedded backbone."""
    return load_backbone("embedded").places


def row(
    name: str, seed: int, rate: float = 1e-3, *, validation: float = 0.5, test: float
) -> Trained:
    return Trained("a", name, "own", "none", rate, seed, validation, test, 10, 1.0)


def merged(seed: int, test: float) -> Merged:
    return Merged(
        "a", "AdaMix", "bottleneck", seed, test, test, [test - 0.1] * 5, 1e-7, 20, 10, 1.5
    )


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_method_fits_where_its_paper_puts_it(entry: Entry, places: Places) -> None:
    """In every block of the embedded backbone."""
    check_places(entry.layout(N_BLOCKS), places)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_equal_size_is_the_largest_within_the_budget(entry: Entry, places: Places) -> None:
    """One more of what is scaled costs more than LoRA does."""
    (reference,) = (each for each in ENTRIES if each.name == REFERENCE)
    budget = count_parameters(reference.layout(N_BLOCKS), places)
    layout = entry.within(budget, N_BLOCKS, places)
    if layout is None:
        assert not any(part.scaled for part in entry.parts)
        return
    (scaled, *_) = next(part.scaled for part in entry.parts if part.scaled)
    scales = {int(c.module.settings.get(scaled, 0)) for c in layout.connections} - {0}
    next_layout = entry.layout(N_BLOCKS, max(scales) + 1)

    assert count_parameters(layout, places) <= budget < count_parameters(next_layout, places)


@pytest.mark.parametrize("copied", COPIED, ids=lambda copied: copied.name)
def test_layouts_with_copies_fit_too(copied: Copied, places: Places) -> None:
    """They are the entries with more copies."""
    check_places(copied.layout(N_BLOCKS), places)


def test_the_rate_is_chosen_by_the_validation_score_of_the_first_seed() -> None:
    """Whatever the test scores are."""
    rows = [
        row("LoRA", 0, 1e-3, validation=0.9, test=0.1),
        row("LoRA", 0, 3e-3, validation=0.8, test=0.9),
        row("LoRA", 1, 1e-3, validation=0.1, test=0.2),
    ]

    assert [each.test for each in chosen(rows)] == [0.1, 0.2]


def test_gains_are_paired_by_seed() -> None:
    """The same gain at every seed has an interval of no width."""
    rows = [row("head only", seed, test=0.1 * seed) for seed in range(3)]
    rows += [row("LoRA", seed, test=0.1 * seed + 0.05) for seed in range(3)]

    assert "| +0.050 (+0.050 to +0.050) |" in page(rows, [], [])


def test_a_merged_layout_is_held_against_routing_and_the_single_module() -> None:
    """Each paired by seed."""
    rows = [row("bottleneck", seed, test=0.3 + 0.1 * seed) for seed in range(3)]
    text = page(rows, [merged(seed, 0.5 + 0.1 * seed) for seed in range(3)], [])

    line = next(line for line in text.splitlines() if "AdaMix |" in line)
    assert "| 20 → 10 |" in line
    assert "| +0.100 (+0.100 to +0.100) | +0.200 (+0.200 to +0.200) |" in line


def test_methods_come_in_the_order_of_the_comparison_with_their_times() -> None:
    """The head alone first; a dash where no time was taken."""
    rows = [row("LoRA", 0, test=0.5), row("head only", 0, test=0.5)]
    lines = page(rows, [], [Timed("a", "LoRA", "own", 1.5, 1.25, 0.1, 0.1)]).splitlines()

    first, second = (line for line in lines if "| own |" in line)
    assert first.startswith("| head only |") and first.endswith("| - | - |")
    assert second.startswith("| LoRA |") and second.endswith("| 1.50 | 1.25 |")


def test_the_page_is_made_of_the_journals_alone(tmp_path: Path) -> None:
    """And what it was made of lies beside it."""
    append(tmp_path / "in" / "a.jsonl", asdict(row("LoRA", 0, test=0.25)))
    append(tmp_path / "in" / MERGING / "a.jsonl", asdict(merged(0, 0.75)))
    write(tmp_path / "in", tmp_path / "out")

    assert "| LoRA | own | 10 | 0.250" in (tmp_path / "out" / "modules.md").read_text()
    assert len((tmp_path / "out" / "merging.jsonl").read_text().splitlines()) == 1


def test_rates_at_an_end_are_counted() -> None:
    """A method whose best rate is the largest tried may have a better one beyond."""
    ends = [row("one", 0, rate, validation=rate, test=0.5) for rate in (1e-3, 3e-3, 1e-2)]
    best = {1e-3: 0.1, 3e-3: 0.3, 1e-2: 0.2}
    within = [row("two", 0, rate, validation=v, test=0.5) for rate, v in best.items()]

    assert _at_an_edge([*ends, *within]) == (1, 2)


def test_a_journal_goes_on_with_what_it_was_begun_with(tmp_path: Path) -> None:
    """Rows of another training would be told as of this one."""
    journal = tmp_path / "a.jsonl"
    for _ in range(2):
        check_begun(journal, {"plan": {"epochs": 8}, "data": "x"})
        append(journal, {})

    with pytest.raises(SystemExit, match="begun with another plan; move it away"):
        check_begun(journal, {"plan": {"epochs": 3}, "data": "x"})
    journal.rename(tmp_path / "away.jsonl")
    check_begun(journal, {"plan": {"epochs": 3}, "data": "x"})
    with pytest.raises(SystemExit, match="does not tell what its rows hang on"):
        check_begun(tmp_path / "away.jsonl", {"data": "x"})
