"""Send a node into the boot that its plan wants, and end what goes on there: what inventory and
installation share."""

from readystate.domain.errors import Failed
from readystate.domain.power import BootDevice, PowerState
from readystate.ports.boot_services import BootKind, BootWish
from readystate.ports.hammer import BootControl, PowerControl
from readystate.ports.jig import RunContext, Ticket


def send_into(context: RunContext, wish: BootWish, *, counts_as_effect: bool) -> None:
    """Render the wish, set PXE for one boot, and cycle the power.

    The one-shot override is set right before the power command: a BMC may drop it after 60 s (IPMI
    2.0, table 28-14), and it is gone when the BMC itself restarts. `counts_as_effect` False leaves
    the recording to a later callback."""
    context.boot().want(wish)
    hammers = context.hammers()
    power = hammers.pick(PowerControl)
    hammers.pick(BootControl).set_boot_override(BootDevice.PXE, persistent=False)
    if counts_as_effect:
        context.record_effect()
    context.check_stopped()
    power.power_cycle()


def stop_boot(ticket: Ticket, context: RunContext) -> None:
    """End the live image or the installer: from now on the node boots its disk, and it is off.

    Raises what the BMC says when it cannot be switched off: the installer may write until then, so
    nobody else may have the node. One that has called back to the end is left alone."""
    if ticket.wake is not None:
        return
    context.boot().want(BootWish(BootKind.LOCAL))
    power = context.hammers().pick(PowerControl)
    power.power_off()
    if power.read_power() is not PowerState.OFF:
        raise Failed(
            "the machine is still on, and may still be doing what it was sent for",
            why="its BMC took the order to switch it off",
            hint="switch it off by hand",
        )
    context.log("the machine is off; its next boot is from its disk")
