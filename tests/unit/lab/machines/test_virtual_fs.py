"""The virtual file system: what survives what, and errors like those of a real disk."""

import pytest

from readystate.lab.machines.virtual_fs import File, Folder, Link, VirtualFs, plain_tree


@pytest.fixture
def fs() -> VirtualFs:
    return VirtualFs(plain_tree({"/etc/hostname": "node-7\n"}, folders=("/var/lib",)))


def test_memory_is_gone_with_the_next_boot_and_the_disk_stays(fs: VirtualFs) -> None:
    fs.write("/etc/motd", b"on disk")
    fs.write("/run/lock", b"in memory")
    after = VirtualFs(fs.disk)

    assert b"on disk" == after.read("/etc/motd")
    assert not after.exists("/run/lock")


def test_machines_share_no_changes_though_they_share_entries() -> None:
    tree = plain_tree({"/etc/hostname": "image\n"})
    first, second = VirtualFs(dict(tree)), VirtualFs(dict(tree))
    first.write("/etc/hostname", b"first\n")

    assert "image\n" == second.read_text("/etc/hostname")


def test_whole_file_is_replaced_by_rename_with_its_mode(fs: VirtualFs) -> None:
    written: list[str] = []
    fs.on_write = written.append
    with fs.open("/etc/hostname.new", "w") as handle:
        handle.write("other\n")
    fs.change_mode("/etc/hostname.new", 0o600)
    fs.replace("/etc/hostname.new", "/etc/hostname")
    entry = fs.find("/etc/hostname")

    assert isinstance(entry, File)
    assert (b"other\n", 0o600) == (entry.content, entry.mode)
    assert not fs.exists("/etc/hostname.new")
    assert "/etc/hostname" == written[-1]


def test_links_are_followed_by_reading_and_replaced_by_rename(fs: VirtualFs) -> None:
    fs.symlink("../etc/hostname", "/var/name")
    fs.symlink("/etc", "/var/config")
    followed = fs.read_text("/var/name"), fs.read_text("/var/config/hostname")
    fs.write("/var/new", b"plain\n")
    fs.replace("/var/new", "/var/name")

    assert ("node-7\n", "node-7\n") == followed
    assert isinstance(fs.find("/var/name", follow=False), File)
    assert isinstance(fs.find("/var/config", follow=False), Link)
    assert "node-7\n" == fs.read_text("/etc/hostname")


def test_append_and_binary_and_exclusive_modes(fs: VirtualFs) -> None:
    with fs.open("/etc/hostname", "a") as handle:
        handle.write("more\n")  # type: ignore[arg-type]
    with fs.open("/var/data", "xb") as handle:
        handle.write(b"\x00\xff")  # type: ignore[arg-type]

    assert "node-7\nmore\n" == fs.read_text("/etc/hostname")
    assert b"\x00\xff" == fs.read("/var/data")
    with pytest.raises(FileExistsError):
        fs.open("/var/data", "x")
    with pytest.raises(ValueError, match="no mode"):
        fs.open("/var/data", "r+")


def test_folders_list_what_is_in_them(fs: VirtualFs) -> None:
    fs.make_folders("/var/lib/a/b", exist_ok=False)
    fs.write("/var/lib/a/file", b"")

    assert ["b", "file"] == fs.list("/var/lib/a")
    assert {"etc", "proc", "run", "tmp", "var"} <= set(fs.list("/"))
    assert isinstance(fs.find("/"), Folder)


def test_errors_are_those_of_a_real_disk(fs: VirtualFs) -> None:
    fs.symlink("/var/loop", "/var/loop")
    with pytest.raises(FileNotFoundError, match="'/etc/none'"):
        fs.read("/etc/none")
    with pytest.raises(FileNotFoundError):
        fs.write("/none/file", b"")
    with pytest.raises(IsADirectoryError):
        fs.write("/etc", b"")
    with pytest.raises(IsADirectoryError):
        fs.read("/etc")
    with pytest.raises(NotADirectoryError):
        fs.write("/etc/hostname/file", b"")
    with pytest.raises(NotADirectoryError):
        fs.list("/etc/hostname")
    with pytest.raises(FileExistsError):
        fs.make_folder("/etc")
    with pytest.raises(OSError, match="Too many levels"):
        fs.read("/var/loop")
    with pytest.raises(OSError, match="cross-device"):
        fs.replace("/etc/hostname", "/run/hostname")
    with pytest.raises(IsADirectoryError):
        fs.remove("/etc")
    with pytest.raises(FileNotFoundError):
        fs.remove("/etc/none")


def test_file_opened_for_reading_cannot_be_written(fs: VirtualFs) -> None:
    handle = fs.open("/etc/hostname")

    with pytest.raises(OSError, match="not writable"):
        handle.write("x")  # type: ignore[arg-type]
