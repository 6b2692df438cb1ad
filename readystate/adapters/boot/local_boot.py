"""The renderer of a readystate without boot environments: every machine boots its own disk."""

from collections.abc import Mapping

from readystate.domain.errors import Invalid
from readystate.ports.boot_services import BootKind, BootWish

#: `exit` hands back to the firmware, which goes on with its next boot device.
LOCAL_SCRIPT = "#!ipxe\necho readystate: booting from the local disk\nexit\n"


class LocalBoot:
    """Implements `ports.boot_services.BootRenderer`."""

    def check(self, wish: BootWish) -> None:
        if wish.kind is not BootKind.LOCAL:
            raise Invalid(
                f"cannot render a boot into {wish.kind}", why="no boot environments are installed"
            )

    def script(self, wish: BootWish, values: Mapping[str, str]) -> str:  # noqa: ARG002 the port
        self.check(wish)
        return LOCAL_SCRIPT

    def local_script(self) -> str:
        return LOCAL_SCRIPT
