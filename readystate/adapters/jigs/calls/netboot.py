"""Send a node into the boot that its plan wants: what inventory and installation share."""

from readystate.domain.power import BootDevice
from readystate.ports.boot_services import BootWish
from readystate.ports.hammer import BootControl, PowerControl
from readystate.ports.jig import RunContext


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
