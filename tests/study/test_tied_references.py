"""References of answers in spaces whose connections come in groups of different sizes."""

import random
from dataclasses import replace

import optuna
import pytest

from placement_search.layout import Layout
from placement_search.modules import parse_layout
from placement_search.space import equal_sizes
from placement_search.space.search_space import SearchSpace
from placement_search.study.answer import find_answer
from placement_search.study.progress import Silence
from placement_search.study.random_gain import size_of
from placement_search.study.records import ALIKE, StudyRecord, read_references
from placement_search.study.references import References
from tests.study.stub_engine import StubEngine
from tests.tiny_records import finals, study_record, trial
from tests.tiny_spaces import bound, space_file

TIED = {"kinds": ["sequential", "parallel", "long_range"], "tied": "blocks", "never": ["*>0"]}
SYMMETRIC = {"kinds": ["sequential", "long_range", "recurrent"], "symmetric": True}
EACH = {"module_per": "connection"}


def of_groups(space: SearchSpace, sizes: tuple[int, ...]) -> Layout:
    """The first groups with so many connections each, with all modules in turn if they may."""
    left, chosen = list(range(len(space.groups))), []
    for number, size in enumerate(sizes):
        group = next(group for group in left if len(space.groups[group]) == size)
        left.remove(group)
        chosen.append((group, 0 if space.is_module_shared else number % len(space.modules)))
    return space.layout_of(chosen)


def with_references(
    study: optuna.Study, space: SearchSpace, answer: Layout, n_random: int
) -> StudyRecord:
    """A study with this answer, after its references."""
    held = finals(answer.notation, (0.8, 0.81, 0.82))
    record = study_record([trial(0, answer.notation, 0.8)], held)
    record = replace(record, definition=replace(record.definition, n_random=n_random))
    References(study, StubEngine(), space, Silence()).run(record)
    found = study.user_attrs
    alike = {k.removeprefix(ALIKE): n for k, n in found.items() if k.startswith(ALIKE)}
    return replace(record, references=read_references(found), alike=alike)


@pytest.mark.parametrize(
    ("entries", "sizes"),
    [
        (TIED, (12,)),
        (TIED, (12, 10)),
        (TIED, (1, 2)),
        (TIED | EACH, (7, 3)),
        (SYMMETRIC, (2, 2)),
        (SYMMETRIC | EACH, (2, 1, 2)),
    ],
)
def test_random_layouts_have_the_answers_connections(
    study: optuna.Study, entries: dict[str, object], sizes: tuple[int, ...]
) -> None:
    """Connections count, not groups, so all that are trained take part in the gain."""
    space = bound(space_file(**entries))
    record = with_references(study, space, of_groups(space, sizes), n_random=4)
    answer = find_answer(record)

    assert {size_of(r)[0] for r in record.references} == {size_of(record.trials[0])[0]}
    assert answer is not None
    assert answer.random.n_layouts == 4
    assert record.alike == {}


def test_all_layouts_of_a_size_are_drawn_where_they_are_few(study: optuna.Study) -> None:
    """Five groups of 12 with four of 10, or two of four groups of 11; one of them is its own."""
    space = bound(space_file(**TIED, connections={"at_most": 2}))
    record = with_references(study, space, of_groups(space, (12, 10)), n_random=99)
    answer = find_answer(record)

    assert answer is not None
    assert answer.random.n_layouts == 5 * 4 + 6 - 1
    assert answer.random.is_all_there_is
    assert record.alike == {record.trials[0].layout_id: 25}


def test_draws_are_as_likely_as_each_other() -> None:
    """Six in 26 sets are two groups of 11, which is 231 of 1,000 draws, 13 more or less."""
    generator = random.Random(0)  # noqa: S311 - reproducible
    space = bound(space_file(**TIED, connections={"at_most": 2}))
    answer = of_groups(space, (12, 10))
    drawn = [space.shuffled(answer, generator) for _ in range(1000)]
    sizes = [{len(space.groups[g]) for g, _ in space.chosen(each) or ()} for each in drawn if each]

    assert abs(sizes.count({11}) - 1000 * 6 / 26) < 4 * 13.3
    assert len(sizes) == 1000


def test_groups_that_are_always_there_stay(study: optuna.Study) -> None:
    """With all their repeats; the others are drawn."""
    space = bound(space_file(**TIED, always=["1>2"], connections={"at_least": 3, "at_most": 3}))
    answer = space.random_layout(random.Random(2))  # noqa: S311 - reproducible
    record = with_references(study, space, answer, n_random=3)
    layouts = [parse_layout(r.layout) for r in record.references]

    assert len(answer.connections) > 12
    assert len(layouts) == 9
    assert all(space.contains(layout) for layout in layouts)


def test_sizes_that_are_too_many_to_count_are_kept_group_by_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with many modules; the size is the answer's all the same."""
    monkeypatch.setattr(equal_sizes, "MAX_STATES", 1)
    generator = random.Random(0)  # noqa: S311 - reproducible
    space = bound(space_file(**TIED, **EACH, connections={"at_most": 2}))
    answer = of_groups(space, (12, 10))
    drawn = [space.shuffled(answer, generator) for _ in range(20)]
    sizes = [
        sorted((m, len(space.groups[g])) for g, m in space.chosen(each) or ())
        for each in drawn
        if each
    ]

    assert sizes == [[(0, 12), (1, 10)]] * 20
    assert len({each.id for each in drawn if each}) > 1


def test_without_groups_draws_are_those_of_earlier_versions() -> None:
    """So a study that was interrupted goes on with the layouts that it had begun."""
    generator = random.Random(0)  # noqa: S311 - reproducible
    answer = parse_layout("1>2:bottleneck(rank=4)+3>3:bottleneck(rank=4)")
    drawn = [bound().shuffled(answer, generator) for _ in range(2)]

    assert [each and each.notation for each in drawn] == [
        "15>19:bottleneck(rank=4)+17>5:bottleneck(rank=4)",
        "1>16:bottleneck(rank=4)+10>15:bottleneck(rank=4)",
    ]
