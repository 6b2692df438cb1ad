"""os-installed: send the node into its installer and wait until the installed system calls back."""

from collections.abc import Mapping
from dataclasses import dataclass

from readystate.adapters.jigs.calls.netboot import send_into
from readystate.domain.disk_rule import choose_disk
from readystate.domain.errors import BadRequest, Failed, Invalid
from readystate.domain.outcome import CheckOutcome, Json, NotDone, Outcome, Pending, Succeeded
from readystate.ports.boot_services import BootKind, BootWish
from readystate.ports.jig import RunContext, Ticket

WAKE = "first-boot"
#: A slow mirror and a large image; the role's own deadline is longer.
INSTALL_DEADLINE_S = 5000.0


@dataclass(frozen=True)
class OsInstalled:
    own_key: str  #: our public ssh key: what comes after the installation logs in with it

    def run(self, ticket: Ticket, context: RunContext) -> Outcome:
        """The point of no return is recorded when the installer says that it is about to write:
        until then nothing is lost, and an unreachable BMC is only a reason to try again."""
        if ticket.wake is not None:
            return _installed(ticket, ticket.wake, context)
        disk = install_disk(ticket)
        plan = install_plan(ticket, disk, self.own_key)
        context.log(f"installs {plan['bootenv']} on {disk['name']}, serial {disk['serial']}")
        context.progress(f"boots the installer of {plan['bootenv']}")
        wish = BootWish(BootKind.INSTALL, bootenv=str(plan["bootenv"]), plan=plan, wake=WAKE)
        send_into(context, wish, counts_as_effect=False)
        context.progress("waits for the installed system to call back")
        return Pending(WAKE, INSTALL_DEADLINE_S)


def check_installed(ticket: Ticket, context: RunContext) -> CheckOutcome:
    """Only the installed system itself can tell, by calling back."""
    if ticket.wake is not None:
        return _installed(ticket, ticket.wake, context)
    return NotDone(f"whether {ticket.input['bootenv']} is on the disk cannot be told from here")


def install_disk(ticket: Ticket) -> Mapping[str, Json]:
    """Of those that the inventory found. Raises Invalid, with the disks listed, unless the rule
    leaves exactly one. A drive that has gone into a volume since is not found by the installer,
    which then refuses before it writes."""
    try:
        return choose_disk(ticket.input["disk"], ticket.input["disks"])
    except BadRequest as error:
        raise Invalid(error.what, why=error.why, hint=error.hint) from error


def install_plan(ticket: Ticket, disk: Mapping[str, Json], own_key: str) -> dict[str, Json]:
    """What the installer is told. A disk that nobody saw at the commit is written only if blank."""
    given = ticket.input
    may_wipe = ticket.wipe_any or disk["serial"] in ticket.confirmed_disks
    return {
        "bootenv": given["bootenv"],
        "hostname": given["hostname"],
        "disk": {"serial": disk["serial"]},
        "wipe": "any" if may_wipe else "blank",
        "admin": {
            "address": given["address"],
            "prefix_length": given["prefix_length"],
            "gateway": given["gateway"],
            "mac": given["mac"],
        },
        "authorized_keys": list(dict.fromkeys([own_key, *given["authorized_keys"]])),
    }


def _installed(ticket: Ticket, wake: Mapping[str, Json], context: RunContext) -> Succeeded:
    if wake["callback"] == "install-failed":
        raise Failed("the installer refused", why=str(wake.get("reason") or "it gave no reason"))
    hostname = wake.get("hostname")
    if hostname != ticket.input["hostname"]:
        raise Failed(
            "another system than the one installed called back",
            why=f"it calls itself {hostname!r}, not {ticket.input['hostname']!r}",
        )
    context.log(f"{hostname} has booted from its disk")
    return Succeeded(
        {
            "installed_bootenv": ticket.input["bootenv"],
            "installed_disk": install_disk(ticket)["serial"],
        }
    )
