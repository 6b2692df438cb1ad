"""Boots and callbacks, design.md section 7: a one-time token bound to node and boot, and when the
machine must not go on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from readystate.domain.errors import Conflict, Refused
from readystate.domain.outcome import Succeeded
from readystate.domain.role import Lane
from readystate.engine.boot_desk import BootDesk, CallbackKind
from readystate.ports.boot_services import BootKind, BootWish
from tests.property.scenario import ACTIVE, Rig, destructive

MakeRig = Callable[..., Rig]
STARTED, INSTALLED = CallbackKind.INSTALL_STARTED, CallbackKind.INSTALLED
INVENTORY, FIRST_BOOT = CallbackKind.INVENTORY, CallbackKind.FIRST_BOOT
SSH = {"ssh": {"address": "127.0.7.7", "host_key": "ssh-ed25519 OTHER"}}
WAKE = "callback"


class _Scripts:
    """A renderer that gives the token away."""

    def check(self, wish: BootWish) -> None:
        del wish

    def script(self, wish: BootWish, values: Mapping[str, str]) -> str:
        del wish
        return values["token"]

    def local_script(self) -> str:
        return "local"


@dataclass
class Install:
    """A node whose `install` waits for its installer."""

    rig: Rig
    desk: BootDesk = field(init=False)

    def __post_init__(self) -> None:
        rig = self.rig
        self.desk = BootDesk(rig.store, rig.clock, _Scripts(), "http://127.0.0.1", lambda: None)
        rig.bind("install")
        self.want(BootKind.INSTALL)
        rig.let_pend("install", deadline_s=1_000_000.0)

    def want(self, kind: BootKind) -> None:
        self.rig.settle_turns()
        run_id = self.rig.run_of("install").id
        plan = {"bootenv": "x"} if kind is BootKind.INSTALL else None
        wish = BootWish(kind, bootenv="x", plan=plan, wake=WAKE)
        self.desk.services_for(self.rig.nodes[0], run_id).want(wish)

    def boot(self) -> str:
        """The token, or `local`."""
        return self.desk.script_for(mac="", uuid="uuid-0", serial="", arch="x86_64")

    def tell(self, kind: CallbackKind, token: str, **said: Any) -> None:
        self.desk.callback(kind, token, said)

    def end(self) -> None:
        """The run succeeds, however its machine fares."""
        self.rig.wake("install")
        message = self.rig.message("install")
        self.rig.dispatcher.messages.remove(message)
        self.rig.answer(message, Succeeded())
        self.rig.settle_turns()
        assert self.rig.state("install") is ACTIVE

    @property
    def effect_recorded(self) -> bool:
        return self.rig.run_of("install").effect_recorded

    @property
    def host_key(self) -> str | None:
        key: str | None = self.rig.node_of().ssh_host_key
        return key


@pytest.fixture
def install(make_rig: MakeRig) -> Install:
    return Install(make_rig(destructive("install", lane=Lane.BOTH)))


def test_an_installer_that_is_about_to_write_is_past_no_return(install: Install) -> None:
    install.tell(STARTED, install.boot())

    assert install.effect_recorded


def test_an_installer_may_not_write_once_its_run_is_cancelled(install: Install) -> None:
    token = install.boot()
    install.rig.cancel("install")

    with pytest.raises(Conflict, match="not wanted any more"):
        install.tell(STARTED, token)

    assert not install.effect_recorded


def test_an_installer_whose_answer_was_lost_may_ask_again(install: Install) -> None:
    token = install.boot()
    install.tell(STARTED, token)

    install.tell(STARTED, token)


def test_an_installer_whose_answer_was_lost_may_not_go_on_after_a_cancel(install: Install) -> None:
    token = install.boot()
    install.tell(STARTED, token)
    install.rig.cancel("install")

    with pytest.raises(Conflict, match="not wanted any more"):
        install.tell(STARTED, token)


def test_an_installer_whose_answer_was_lost_may_not_go_on_after_its_run(install: Install) -> None:
    token = install.boot()
    install.tell(STARTED, token)
    install.end()

    with pytest.raises(Conflict, match="its run is done"):
        install.tell(STARTED, token)


def test_an_installer_may_not_write_once_its_own_run_wants_the_disk_booted(
    install: Install,
) -> None:
    token = install.boot()
    install.want(BootKind.LOCAL)

    with pytest.raises(Conflict, match="another boot is planned"):
        install.tell(STARTED, token)


def test_another_boot_plan_voids_the_token_of_the_boot_before(install: Install) -> None:
    token = install.boot()
    install.want(BootKind.DISCOVERY)

    for kind in CallbackKind:
        with pytest.raises(Refused, match="token is not valid"):
            install.tell(kind, token, **SSH)

    assert install.host_key is None


def test_another_boot_voids_the_token_of_the_one_before(install: Install) -> None:
    token = install.boot()
    install.boot()

    with pytest.raises(Refused, match="token is not valid"):
        install.tell(STARTED, token)


def test_the_installed_system_calls_back_with_the_token_of_its_installer(install: Install) -> None:
    token = install.boot()
    install.tell(STARTED, token)
    install.tell(INSTALLED, token)
    assert install.boot() == "local"

    install.tell(FIRST_BOOT, token, **SSH)

    assert install.host_key == "ssh-ed25519 OTHER"
    assert install.rig.is_given("install"), "its run is woken"


def test_a_token_ends_with_its_run(install: Install) -> None:
    token = install.boot()
    install.tell(STARTED, token)
    install.tell(INSTALLED, token)
    install.end()

    for kind in (FIRST_BOOT, INVENTORY, CallbackKind.INSTALL_FAILED):
        with pytest.raises(Refused, match="is over"):
            install.tell(kind, token, **SSH)

    assert install.host_key is None


def test_a_first_boot_whose_answer_was_lost_is_told_again_for_nothing(install: Install) -> None:
    """It would try at every boot else; and another host key is not taken."""
    token = install.boot()
    install.tell(STARTED, token)
    install.tell(INSTALLED, token)
    install.tell(FIRST_BOOT, token)
    install.end()

    install.tell(FIRST_BOOT, token, **SSH)

    assert install.host_key is None


def test_the_next_plan_voids_the_token_that_an_installation_kept(install: Install) -> None:
    token = install.boot()
    install.tell(STARTED, token)
    install.tell(INSTALLED, token)
    install.want(BootKind.DISCOVERY)

    with pytest.raises(Refused, match="token is not valid"):
        install.tell(FIRST_BOOT, token)


def test_a_machine_that_boots_again_what_is_wanted_still_tells_its_boot_id(
    install: Install,
) -> None:
    install.want(BootKind.DISCOVERY)
    install.end()
    token = install.boot()

    install.tell(INVENTORY, token, boot_id="boot-9")

    assert install.rig.node_of().boot_id == "boot-9"
    with pytest.raises(Refused, match="is over"):
        install.tell(FIRST_BOOT, token, **SSH)


def test_a_token_is_no_good_after_a_day(install: Install) -> None:
    token = install.boot()
    install.rig.clock.pass_s(24 * 3600 - 1)
    assert install.desk.plan_for(token)["bootenv"] == "x"
    install.rig.clock.pass_s(1)

    with pytest.raises(Refused, match="token is not valid"):
        install.tell(STARTED, token)
    with pytest.raises(Refused, match="token is not valid"):
        install.desk.plan_for(token)
