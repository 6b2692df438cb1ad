"""What passes between a netbooted machine and the readystate API: paths, kernel arguments, names.

The API renders these words and our discovery image reads them; the simulated machine holds to the
same words, so the whole chain runs on what real machines will use."""

from enum import StrEnum

IPXE_PATH = "/boot/ipxe"  #: GET, query `mac uuid serial arch`; answers an iPXE script
SSH_KEY_PATH = "/boot/ssh-key"  #: GET; the public key line that the live image lets in
PLAN_PATH = "/boot/plan"  #: GET with the token; the install plan as JSON


class Callback(StrEnum):
    """POST with the token, a JSON object each."""

    INVENTORY = "/boot/callback/inventory"
    INSTALL_FAILED = "/boot/callback/install-failed"
    INSTALL_STARTED = "/boot/callback/install-started"  #: the point of no return
    INSTALLED = "/boot/callback/installed"
    FIRST_BOOT = "/boot/callback/first-boot"


class KernelArgument(StrEnum):
    MODE = "readystate.mode"
    URL = "readystate.url"
    TOKEN = "readystate.token"


class Mode(StrEnum):
    DISCOVERY = "discovery"
    INSTALL = "install"


#: Where the installer leaves what the installed system needs for its one first-boot callback.
FIRST_BOOT_FILE = "/var/lib/readystate/first-boot.json"


def parse_kernel_arguments(command_line: str) -> dict[str, str]:
    """`key=value` words of a kernel command line; the last of two equal keys wins, as in Linux."""
    pairs = (word.partition("=") for word in command_line.split())
    return {key: value for key, _, value in pairs}


def authorization(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
