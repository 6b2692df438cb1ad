"""The iPXE interpreter, on scripts as the boot API and operators write them."""

import asyncio

import pytest

from readystate.lab.machines.ipxe import (
    BootKernel,
    BootLocalDisk,
    ExitToFirmware,
    FetchFailed,
    Ipxe,
    IpxeResult,
    ScriptFailed,
)

START = "http://api/boot/ipxe?mac=52:54:00:00:00:01"
SETTINGS = {"net0/mac": "52:54:00:00:00:01", "uuid": "4c4c4544-00", "serial": "SN 1"}


def follow(
    text: str | None,
    *,
    files: dict[str, str] | None = None,
    disk: bool = False,
    fetched: list[str] | None = None,
) -> IpxeResult:
    """Run a script whose network has these files beside it."""
    world = (files or {}) if text is None else {START: text, **(files or {})}

    async def fetch(url: str) -> bytes:
        if fetched is not None:
            fetched.append(url)
        if url not in world:
            raise FetchFailed(f"{url}: HTTP 404")
        return world[url].encode()

    async def sleep(_seconds: float) -> None:
        return None

    ipxe = Ipxe(fetch=fetch, settings=SETTINGS, disk_is_bootable=lambda: disk, sleep=sleep)
    return asyncio.run(ipxe.run(START))


KERNEL = {"http://api/files/vmlinuz": "kernel", "http://api/files/initrd": "initrd"}


def test_kernel_and_initrd_are_fetched_and_booted_with_expanded_arguments() -> None:
    fetched: list[str] = []
    result = follow(
        "#!ipxe\n# a comment\nset base http://api/files\n"
        "kernel ${base}/vmlinuz mac=${net0/mac:hexhyp} id=${uuid} sn=${serial:uristring} ${none}.\n"
        "initrd ${base}/initrd\nboot\n",
        files=KERNEL,
        fetched=fetched,
    )

    assert result == BootKernel(
        url="http://api/files/vmlinuz",
        command_line="mac=52-54-00-00-00-01 id=4c4c4544-00 sn=SN%201 .",
        initrds=("http://api/files/initrd",),
    )
    assert [START, *KERNEL] == fetched


def test_arguments_may_be_set_after_the_kernel_is_loaded() -> None:
    result = follow(
        "#!ipxe\nkernel --name k /files/vmlinuz old\nimgargs k new words\nboot k\n", files=KERNEL
    )

    assert isinstance(result, BootKernel)
    assert "new words" == result.command_line


@pytest.mark.parametrize(
    ("text", "disk", "result"),
    [
        ("sanboot --no-describe --drive 0x80\n", True, BootLocalDisk()),
        ("sanboot --drive=0x80\n", True, BootLocalDisk()),
        ("sanboot --drive 0x80 || exit\n", False, ExitToFirmware()),
        ("exit\n", True, ExitToFirmware()),
        ("echo nothing to do\n", False, ExitToFirmware()),
        ("goto last\nexit 1\n:last\nexit 0\n", False, ExitToFirmware()),
        ("isset ${uuid} && goto known ||\nexit 1\n:known\n", False, ExitToFirmware()),
        ("iseq ${uuid} other && exit 1 ||\n", False, ExitToFirmware()),
        ("set a ${uuid}\nclear a\nisset ${a} || exit\nexit 1\n", False, ExitToFirmware()),
        ("sleep 3\ndhcp\n", False, ExitToFirmware()),
    ],
)
def test_scripts_that_hand_the_machine_on(text: str, disk: bool, result: IpxeResult) -> None:
    assert result == follow("#!ipxe\n" + text, disk=disk)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<html>not a script</html>", "Exec format error"),
        ("", "Exec format error"),
        ("#!ipxe\nmenu Choose\n", "menu: command not found"),
        ("#!ipxe\nkernel /files/none\nboot\n", "http://api/files/none: HTTP 404"),
        ("#!ipxe\nboot\n", "boot: no image"),
        ("#!ipxe\nsanboot --drive 0x80\n", "could not boot from disk"),
        ("#!ipxe\nsanboot --drive 0x81\n", "only the first local disk"),
        ("#!ipxe\nsanboot iscsi:target\n", "only the first local disk"),
        ("#!ipxe\ngoto nowhere\n", "No such label"),
        ("#!ipxe\n:again\ngoto again\n", "does not end"),
        ("#!ipxe\nexit 1\n", "exited with an error"),
        ("#!ipxe\nimgargs none x\n", "no such image"),
        ("#!ipxe\nchain /boot/ipxe?mac=52:54:00:00:00:01\n", "chained too deep"),
    ],
)
def test_scripts_that_fail_say_why(text: str, why: str) -> None:
    with pytest.raises(ScriptFailed, match=why):
        follow(text)


def test_script_that_is_not_there_is_not_a_failed_script() -> None:
    with pytest.raises(FetchFailed):
        follow(None)


def test_chained_script_returns_to_the_one_that_chained_it() -> None:
    files = {**KERNEL, "http://api/boot/next": "#!ipxe\nset k /files/vmlinuz\nexit\n"}
    result = follow("#!ipxe\nchain next\nkernel ${k} quiet\nboot\n", files=files)

    assert BootKernel("http://api/files/vmlinuz", "quiet", ()) == result


def test_chain_with_replace_does_not_return() -> None:
    files = {"http://api/boot/next": "#!ipxe\n"}

    assert ExitToFirmware() == follow("#!ipxe\nchain --replace next\nexit 1\n", files=files)


def test_failed_chain_can_be_caught() -> None:
    assert BootLocalDisk() == follow(
        "#!ipxe\nchain none || sanboot --drive 0x80 || exit\n", disk=True
    )
