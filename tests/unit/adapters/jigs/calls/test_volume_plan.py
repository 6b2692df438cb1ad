"""Which drives become which volumes, and which volumes have to go for them."""

import pytest

from readystate.adapters.jigs.calls.volume_plan import VolumePlan, WantedVolume, plan_volumes
from readystate.domain.errors import Invalid
from readystate.ports.hammer import DriveState, StorageState, VolumeState

SIZES = {"S": ("SSD", 480), "B": ("SSD", 960), "H": ("HDD", 480)}


def controller(name: str, drives: str, **volumes: tuple[str, str]) -> StorageState:
    """Drives `S0 H1` by kind and number; volumes as `name=("RAID1", "S0 S1")`."""
    held = {drive for _, on in volumes.values() for drive in on.split()}
    return StorageState(
        name,
        tuple(
            DriveState(it, it, SIZES[it[0]][1], f"{name}-{it}", SIZES[it[0]][0], it in held)
            for it in drives.split()
        ),
        tuple(
            VolumeState(str(number), volume, level, tuple(on.split()), 1)
            for number, (volume, (level, on)) in enumerate(volumes.items())
        ),
        pending=False,
    )


def wanted(name: str, drives: int = 2, media: str | None = None) -> WantedVolume:
    return WantedVolume(name, "RAID1", drives, media)


def short(plan: VolumePlan) -> tuple[list[str], list[str]]:
    return (
        [f"{it.controller}/{it.volume.name}" for it in plan.removals],
        [f"{it.volume.name}: {it.controller} {' '.join(it.drives)}" for it in plan.creations],
    )


FULL = controller("c1", "S0 S1 S2 S3", a=("RAID1", "S0 S1"), b=("RAID1", "S2 S3"))


@pytest.mark.parametrize(
    ("wants", "state", "removed", "created"),
    [
        pytest.param(
            [wanted("os")], [controller("c1", "S1 S0 S2")], [], ["os: c1 S0 S1"],
            id="free drives, by name",
        ),
        pytest.param(
            [wanted("os")], [controller("c1", "B0 H1 S2 S3")], [], ["os: c1 S2 S3"],
            id="one medium and one size",
        ),
        pytest.param(
            [wanted("os")], [controller("c1", "S0"), controller("c2", "S0 S1")],
            [], ["os: c2 S0 S1"], id="of one controller",
        ),
        pytest.param(
            [wanted("os", media="HDD")], [controller("c1", "S0 S1 H2 H3")],
            [], ["os: c1 H2 H3"], id="of the medium asked for",
        ),
        pytest.param(
            [wanted("any"), wanted("fast", media="SSD")], [controller("c1", "S0 S1 H0 H1")],
            [], ["any: c1 H0 H1", "fast: c1 S0 S1"], id="the choosy one first, in the order given",
        ),
        pytest.param(
            [wanted("a")], [FULL], [], [], id="what is there stays",
        ),
        pytest.param(
            [wanted("os")], [FULL], ["c1/a"], ["os: c1 S0 S1"],
            id="only the volume whose drives are used goes",
        ),
        pytest.param(
            [wanted("os")],
            [controller("c1", "S0 S1", a=("RAID1", "S0 S1")), controller("c2", "S0 S1")],
            [], ["os: c2 S0 S1"], id="free drives of another controller rather than a volume",
        ),
        pytest.param(
            [wanted("os", media="SSD")],
            [controller("c1", "S0 S1 H0 H1", a=("RAID1", "S0 S1"), b=("RAID1", "H0 H1"))],
            ["c1/a"], ["os: c1 S0 S1"], id="volumes of the wrong medium stay",
        ),
        pytest.param(
            [wanted("os")],
            [controller("c1", "S0 S1 S2", a=("RAID0", "S1"), b=("RAID0", "S2"))],
            ["c1/a"], ["os: c1 S0 S1"], id="free ones first, then as few volumes as possible",
        ),
        pytest.param(
            [wanted("os")],
            [controller("c1", "S0 S1 S2", a=("RAID0", "S0"), b=("RAID1", "S1 S2"))],
            ["c1/b"], ["os: c1 S1 S2"], id="one volume of two drives rather than two of one",
        ),
        pytest.param(
            [wanted("os"), wanted("data")],
            [controller("c1", "S0 S1 S2 S3 S4", a=("RAID6", "S0 S1 S2 S3"), b=("RAID0", "S4"))],
            ["c1/a"], ["os: c1 S0 S1", "data: c1 S2 S3"], id="what a removal leaves is free",
        ),
        pytest.param(
            [wanted("fast", media="SSD"), wanted("data")],
            [
                controller("c1", "H0 H1", b=("RAID1", "H0 H1")),
                controller("c2", "S0 S1 S2 S3", a=("RAID6", "S0 S1 S2 S3")),
            ],
            ["c2/a"],
            ["fast: c2 S0 S1", "data: c2 S2 S3"],
            id="what a removal leaves rather than another volume",
        ),
        pytest.param(
            [wanted("a")],
            [controller("c1", "S0 S1", a=("RAID0", "S0 S1"))],
            ["c1/a"],
            ["a: c1 S0 S1"],
            id="of a wanted name but another level: in the way",
        ),
        pytest.param(
            [wanted("os"), wanted("a")], [FULL], ["c1/b"], ["os: c1 S2 S3"],
            id="a wanted volume is not taken from",
        ),
        pytest.param(
            [wanted("a", drives=4)], [FULL], ["c1/a", "c1/b"], ["a: c1 S0 S1 S2 S3"],
            id="of a wanted name but another shape: in the way",
        ),
        pytest.param(
            [wanted("os"), wanted("data")],
            [controller("c1", "S0 S1"), controller("c2", "S0 S1")],
            [], ["os: c1 S0 S1", "data: c2 S0 S1"], id="drives of one id on two controllers",
        ),
        pytest.param(
            [wanted("os"), wanted("keep")],
            [
                controller("c1", "S0 S1", old=("RAID1", "S0 S1")),
                controller("c2", "S0 S1", keep=("RAID1", "S0 S1")),
            ],
            ["c1/old"], ["os: c1 S0 S1"], id="volumes of one id on two controllers",
        ),
        pytest.param(
            [wanted("os"), wanted("data"), wanted("more", media="HDD")],
            [
                controller("c1", "S0 S1", old=("RAID1", "S0 S1")),
                controller("c2", "S0 S1 H0 H1", b=("RAID1", "S0 S1"), c=("RAID1", "H0 H1")),
            ],
            ["c2/c", "c1/old", "c2/b"],
            ["os: c1 S0 S1", "data: c2 S0 S1", "more: c2 H0 H1"],
            id="each is removed for itself",
        ),
    ],
)  # fmt: skip
def test_plan(
    wants: list[WantedVolume], state: list[StorageState], removed: list[str], created: list[str]
) -> None:
    assert (removed, created) == short(plan_volumes(wants, state))


@pytest.mark.parametrize(
    ("wants", "state"),
    [
        ([wanted("os")], [controller("c1", "S0")]),
        ([wanted("os")], [controller("c1", "S0"), controller("c2", "S0")]),
        ([wanted("os")], [controller("c1", "S0 H1")]),
        ([wanted("os"), wanted("data")], [controller("c1", "S0 S1 S2")]),
        ([wanted("a"), wanted("b"), wanted("os")], [FULL]),
        ([wanted("os")], []),
    ],
)
def test_too_few_drives_are_refused_and_listed(
    wants: list[WantedVolume], state: list[StorageState]
) -> None:
    with pytest.raises(Invalid, match="not enough drives") as refused:
        plan_volumes(wants, state)

    assert all(drive.name in refused.value.why for unit in state for drive in unit.drives)


def test_a_drive_that_is_in_use_but_in_no_volume_we_see_is_not_taken() -> None:
    spare = DriveState("S1", "S1", 480, "x", "SSD", in_volume=True)
    state = controller("c1", "S0")

    with pytest.raises(Invalid):
        plan_volumes([wanted("os")], [StorageState("c1", (*state.drives, spare), (), False)])
