"""How layouts from elsewhere did, there and here."""

from dataclasses import replace

from placement_search.space.training import TrainingChoice
from placement_search.study.records import StudyRecord
from placement_search.study.starts import StartLayout, named_starts
from placement_search.study.transfers import find_transfers
from tests.tiny_records import DEFINITION, finals, study_record, trial

GIVEN = "3>9:bottleneck(rank=4)"
BACKBONE = DEFINITION.backbone.fingerprint
START = StartLayout(GIVEN, "digits", "first", BACKBONE, "accuracy", 0.9, 3)
RANDOMS = [f"{node}>{node}:bottleneck(rank=4)" for node in (1, 2, 3)]


def started(
    start: StartLayout = START, score: float | None = 0.6, *, is_final: bool = True
) -> StudyRecord:
    """A study with three random baselines and one layout from elsewhere."""
    trials = [
        *(trial(n, notation, 0.5, role=f"random {n + 1}") for n, notation in enumerate(RANDOMS)),
        trial(3, GIVEN, score, role="start: digits"),
        trial(4, "8>2:bottleneck(rank=4)", 0.7),
    ]
    held = [
        *(f for n, each in enumerate(RANDOMS) for f in finals(each, (0.5, 0.51 + n / 100))),
        *finals(GIVEN, (0.61, 0.62)),
    ]
    record = study_record(trials, held if is_final else [])
    return replace(record, definition=replace(DEFINITION, start_from={"start: digits": start}))


def test_it_is_ranked_and_compared_here() -> None:
    """Its place among all complete trials, its retrainings, and random layouts of its size."""
    (transfer,) = find_transfers(started())

    assert transfer.trial is not None
    assert (transfer.trial.number, transfer.rank) == (3, 2)
    assert transfer.finalist is not None
    assert transfer.random is not None
    assert transfer.random.comparison is not None
    assert transfer.random.comparison.verdict == "better"
    assert transfer.random.n_layouts == 3
    assert transfer.is_same_backbone


def test_its_own_trial_tells_how_it_did_where_the_space_proposes_training() -> None:
    """It has a learning rate there; the search may have found a better one for the same layout."""
    near, better = TrainingChoice(0.01), TrainingChoice(0.1)
    trials = [
        *(
            trial(n, each, 0.5, role=f"random {n + 1}", training=near)
            for n, each in enumerate(RANDOMS)
        ),
        trial(3, GIVEN, 0.6, training=better),
        trial(4, GIVEN, 0.55, role="start: digits", training=near),
    ]
    held = [f for t in trials for f in finals(t.layout, (0.5, 0.51), training=t.training)]
    given = replace(DEFINITION, start_from={"start: digits": START})
    (transfer,) = find_transfers(replace(study_record(trials, held), definition=given))

    assert transfer.trial == trials[4]
    assert transfer.rank == 2
    assert transfer.random is not None
    assert transfer.random.n_layouts == 3


def test_without_finals_its_trial_is_known() -> None:
    """And nothing is claimed beyond it."""
    (transfer,) = find_transfers(started(is_final=False))

    assert transfer.rank == 2
    assert transfer.finalist is None
    assert transfer.random is None


def test_one_that_did_not_complete_has_no_rank() -> None:
    """It is listed all the same."""
    (transfer,) = find_transfers(started(score=None, is_final=False))

    assert transfer.trial is None
    assert transfer.rank is None


def test_one_that_the_study_has_anyway_is_found_in_its_own_role() -> None:
    """A baseline's trial tells how it did."""
    (transfer,) = find_transfers(started(replace(START, layout=RANDOMS[0])))

    assert transfer.trial is not None
    assert transfer.trial.role == "random 1"
    assert transfer.random is not None
    assert transfer.random.n_layouts == 2


def test_another_backbone_is_known_by_its_fingerprint() -> None:
    """Its nodes may mean something else."""
    (transfer,) = find_transfers(started(replace(START, backbone="0123")))

    assert not transfer.is_same_backbone


def test_roles_name_the_task_and_do_not_depend_on_the_order() -> None:
    """Several of one task are numbered, and one that comes twice counts once."""
    other = replace(START, study="second")
    third = replace(START, task="count")
    named = named_starts([other, third, START, START])

    assert named == named_starts([third, START, other])
    assert named == {"start: count": third, "start: digits": START, "start: digits 2": other}


def test_the_order_of_layouts_alike_is_that_of_their_backbones() -> None:
    """Not of their hashes, which differ from run to run."""
    made = [replace(START, backbone=str(number)) for number in range(9)]

    assert [start.backbone for start in named_starts(made[::-1]).values()] == list("012345678")


def test_no_task_takes_the_role_of_another_ones_second_layout() -> None:
    """Tasks are named by files, so one may be called ``digits 2``."""
    called = replace(START, task="digits 2")
    named = named_starts([START, replace(START, study="second"), called])

    assert len(named) == 3
    assert {start.task for start in named.values()} == {"digits", "digits 2"}
