"""Give the node its name and its address on the admin network, now and after every reboot.

Input: hostname, address, prefix_length, gateway (may be empty), mac. Nothing is taken down: the
address is the one over which this script came, and ifupdown reads the files at the next boot."""

import os

INTERFACES = "/etc/network/interfaces"
ADMIN = "/etc/network/interfaces.d/readystate"
STANDARD = "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n"


def find_nic(mac):
    """The kernel's name for the NIC with this address."""
    folder = "/sys/class/net"
    for name in sorted(os.listdir(place(folder))):
        if (read_text(f"{folder}/{name}/address") or "").strip().lower() == mac.lower():
            return name
    raise SystemExit("no NIC has the MAC address " + mac)


def interfaces(old, nic):
    """The installer's own lines about this NIC would give it a second configuration."""
    words = [line.split() for line in old.splitlines()]
    speaks_of_nic = any(line[:1] == ["iface"] and nic in line[1:2] for line in words)
    reads_folder = any(line[:1] == ["source"] and "interfaces.d" in line[1] for line in words)
    return old if reads_folder and not speaks_of_nic else STANDARD


def admin(nic):
    lines = [MARK.rstrip(), "auto " + nic, f"iface {nic} inet static"]
    lines.append("    address {}/{}".format(need("address"), need("prefix_length")))
    if INPUT.get("gateway"):
        lines.append("    gateway " + INPUT["gateway"])
    return "\n".join(lines) + "\n"


def hosts(old, address, hostname):
    """Our line in the place of Debian's 127.0.1.1, which would hide the real address."""
    short = hostname.split(".")[0]
    kept = []
    for line in old.splitlines():
        words = line.split("#")[0].split()
        if words and (words[0] in ("127.0.1.1", address) or hostname in words or short in words):
            continue
        kept.append(line)
    names = hostname if short == hostname else hostname + " " + short
    return "".join(line + "\n" for line in [*kept, address + " " + names])


hostname = need("hostname")
nic = find_nic(need("mac"))
kernel_name = (read_text("/proc/sys/kernel/hostname") or "").strip()
if ACTION == "check" and is_whole_system() and kernel_name != hostname:
    answer(done=False, reason=f"the node calls itself {kernel_name!r}")
    raise SystemExit(0)
written = converge(
    {
        "/etc/hostname": hostname + "\n",
        "/etc/hosts": hosts(
            read_text("/etc/hosts") or "127.0.0.1 localhost\n", need("address"), hostname
        ),
        INTERFACES: interfaces(read_text(INTERFACES) or "", nic),
        ADMIN: admin(nic),
    }
)
if kernel_name != hostname:
    run_program("hostname", hostname)
answer(outputs={}, written=written)
