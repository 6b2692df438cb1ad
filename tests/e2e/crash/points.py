"""Where readystate is killed. Each chain is one rack that dies at each of its points in turn, in
the order in which a rack comes to them, and then lives on to the end. No chain cuts a role five
times: its attempts would be used up."""

from tests.e2e.crash.victim import Point

Chain = tuple[Point, ...]


def both(name: str, number: int = 1) -> Chain:
    return Point(f"{name} before", number), Point(f"{name} after", number)


def before(name: str, number: int = 1) -> Point:
    return Point(f"{name} before", number)


def after(name: str, number: int = 1) -> Point:
    return Point(f"{name} after", number)


#: From the first start to the commit: what a person asks for, and the life of the process.
TOUR: Chain = (
    *both("make-schema"),
    *both("keep-token"),
    *both("commit prepare"),
    *both("commit begin"),
    *both("commit deployment"),
    *both("commit credentials"),
    *both("commit sighting"),
    *both("commit scan"),
    *both("commit enroll"),
    *both("commit proposal"),
    *both("commit commit"),
)

#: Every kind of commit of the annealer, of workers and of machines.
COMMITS: dict[str, Chain] = {
    "early turns": (
        before("commit anneal"),
        after("commit anneal", 2),
        before("commit anneal", 8),
        after("commit anneal", 8),
    ),
    "later turns": (
        before("commit anneal", 12),
        after("commit anneal", 9),
        after("commit anneal", 5),
    ),
    "facts": (
        *both("commit facts"),
        *both("commit boot-plan"),
    ),
    "discovery": (
        before("commit effect"),
        after("commit effect", 3),
        *both("commit boot-token"),
    ),
    "callbacks": (
        before("commit callback"),
        after("commit callback"),
        *both("commit address"),
        after("commit callback", 2),
        after("commit callback", 4),
    ),
}

#: Between each kind of side effect and its record.
SIDE_EFFECTS: dict[str, Chain] = {
    "first power": (
        after("work run bmc-managed"),
        after("redfish boot-override"),
        after("redfish power-command"),
        after("power-cycle"),
    ),
    "ipmi": (
        before("ipmi boot-override"),
        after("ipmi boot-override"),
        before("ipmi power-command"),
        after("ipmi power-command"),
    ),
    "inventory": (
        before("callback inventory"),
        after("callback inventory"),
        before("work run inventory"),
        after("work run inventory"),
    ),
    "redfish writes": (
        after("redfish patch"),
        after("redfish post"),
        after("redfish post", 2),
        after("work run address-admin"),
    ),
    "bios": (
        before("work run bios-configured"),
        before("stage-bios"),
        after("work check bios-configured"),
    ),
    "bios staged": (
        after("stage-bios"),
        after("work run bios-configured"),
        before("work check bios-configured"),
    ),
    "raid": (
        before("work run raid-configured"),
        before("stage-volume"),
        after("work check raid-configured"),
    ),
    "raid staged": (
        after("stage-volume"),
        after("work run raid-configured"),
    ),
    "raid checked": (before("work check raid-configured"),),
    "shared cycle": (
        before("work power power"),
        after("work power power"),
    ),
    "installation begins": (
        before("work run os-installed"),
        after("work run os-installed"),
        before("callback install-started"),
        after("callback install-started"),
    ),
    "installation ends": (
        before("callback installed"),
        after("callback installed"),
        before("callback first-boot"),
        after("callback first-boot"),
    ),
    "services": (
        before("work run boot-service"),
        after("work run boot-service"),
        before("work run dns-service"),
        after("work run ntp-service"),
    ),
    "scripts": (
        before("script-sent"),
        after("script-sent"),
        after("script network-admin.py"),
        after("script dns-client.py"),
        after("script ntp-client.py"),
        after("script package-sources.py"),
    ),
}
