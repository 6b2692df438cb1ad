"""Each fault of the lab as a client meets it, and that it goes away."""

import socket
import ssl
import time
from collections.abc import Iterator

import pytest
import requests

from readystate.lab.bmc.faults import Fault
from readystate.lab.bmc.redfish import RedfishServer
from tests.protocol.redfish_rack import (
    CERTIFICATE,
    PASSWORD,
    PORT,
    USER,
    VENDORS,
    Curl,
    Served,
    make_bmc,
    rack_network,
    serve,
    stranger,
)

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")

SESSIONS = "/redfish/v1/SessionService/Sessions"
LOGIN = {"UserName": USER, "Password": PASSWORD}


@pytest.fixture(params=VENDORS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    bmc = make_bmc(request.param, f"{rack_network()}.7.{list(VENDORS).index(request.param) + 1}")
    with serve([bmc]) as (one,):
        yield one


@pytest.fixture
def curl(served: Served) -> Curl:
    return Curl(served)


def plant(served: Served, fault: Fault, delay_s: float = 0.0) -> None:
    served.on_loop(lambda: served.bmc.faults.plant(fault, delay_s=delay_s))


def remove(served: Served, fault: Fault) -> None:
    served.on_loop(lambda: served.bmc.faults.remove(fault))


def reset(curl: Curl, kind: str) -> int:
    path = f"{curl.served.system}/Actions/ComputerSystem.Reset"
    status = curl(path, "POST", {"ResetType": kind}).status
    return 200 if status == 204 else status


def test_unreachable_sends_no_byte_to_new_and_to_kept_connections(
    served: Served, curl: Curl
) -> None:
    with stranger() as kept:
        assert 200 == kept.get(f"{served.url}/redfish/v1").status_code
        plant(served, Fault.UNREACHABLE)
        assert curl.try_("/redfish/v1") is None
        assert curl.exit_code in (7, 35, 56)  # refused, no handshake, reset
        with pytest.raises(requests.ConnectionError):
            kept.get(f"{served.url}/redfish/v1")
        remove(served, Fault.UNREACHABLE)
        assert 200 == kept.get(f"{served.url}/redfish/v1").status_code


def test_wrong_password_refuses_the_right_one_and_counts(served: Served, curl: Curl) -> None:
    plant(served, Fault.WRONG_PASSWORD)

    assert [401, 401] == [curl(served.system).status, curl(SESSIONS, "POST", LOGIN).status]
    assert 2 == served.bmc.ledger.refused_logins
    remove(served, Fault.WRONG_PASSWORD)
    assert 200 == curl(served.system).status


def test_slow_delays_every_answer(served: Served, curl: Curl) -> None:
    plant(served, Fault.SLOW, delay_s=0.4)
    began = time.monotonic()

    assert 200 == curl("/redfish/v1").status
    assert time.monotonic() - began >= 0.4


def test_unavailable_answers_503_with_retry_after_on_every_path(served: Served, curl: Curl) -> None:
    plant(served, Fault.UNAVAILABLE)

    for path in ("/redfish/v1", served.system, "/nowhere"):
        reply = curl(path)
        assert (503, "5") == (reply.status, reply.headers["retry-after"])
        assert "ServiceTemporarilyUnavailable" in reply.message_id
    remove(served, Fault.UNAVAILABLE)
    assert 200 == curl(served.system).status


def test_power_lies_accepts_everything_does_nothing_and_says_off(
    served: Served, curl: Curl
) -> None:
    served.power_on()
    plant(served, Fault.POWER_LIES)

    assert "Off" == curl(served.system).body["PowerState"]
    assert [200] * 3 == [reset(curl, kind) for kind in ("On", "ForceRestart", "ForceOff")]
    assert served.bmc.machine.is_on
    remove(served, Fault.POWER_LIES)
    assert "On" == curl(served.system).body["PowerState"]


def test_boot_override_is_accepted_and_forgotten(served: Served, curl: Curl) -> None:
    plant(served, Fault.DROPS_BOOT_OVERRIDE)
    boot = {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"}

    assert 200 == curl(served.system, "PATCH", {"Boot": boot}).status
    assert "Disabled" == curl(served.system).body["Boot"]["BootSourceOverrideEnabled"]
    assert 1 == served.bmc.ledger.boot_override_sets


def test_session_exhaustion_refuses_new_logins_and_keeps_the_old(
    served: Served, curl: Curl
) -> None:
    token = Curl(served, user=None)(SESSIONS, "POST", LOGIN).headers["x-auth-token"]
    plant(served, Fault.SESSION_EXHAUSTION)

    for refused in (curl(SESSIONS, "POST", LOGIN), curl(served.system)):
        own = {"dell": "IDRAC.2.8.RAC0218"}.get(served.personality, "SessionLimitExceeded")
        assert (503, True) == (refused.status, refused.message_id.endswith(own))
    assert 200 == Curl(served, token=token)(served.system).status
    assert 0 == served.bmc.ledger.refused_logins
    remove(served, Fault.SESSION_EXHAUSTION)
    assert 200 == curl(served.system).status


def test_bmc_resets_after_the_accepted_power_command_and_comes_back_empty(
    served: Served, curl: Curl
) -> None:
    login = Curl(served, user=None)(SESSIONS, "POST", LOGIN)
    by_token = Curl(served, token=login.headers["x-auth-token"])
    plant(served, Fault.BMC_RESETS)
    with stranger() as kept:
        kept.get(f"{served.url}/redfish/v1")
        assert 200 == reset(curl, "On")  # answered, then it goes
        boot = {"Boot": {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"}}
        assert curl.try_(served.system, "PATCH", boot) is None
        with pytest.raises(requests.ConnectionError):
            kept.get(f"{served.url}/redfish/v1")
    _wait_for(curl)

    assert 401 == by_token(served.system).status
    assert "On" == curl(served.system).body["PowerState"]
    assert 1 == served.bmc.ledger.power_ons
    assert 200 == reset(curl, "ForceRestart")  # the fault strikes once
    assert 200 == curl(served.system).status


def test_reset_of_the_manager_drops_sessions_and_the_one_shot(served: Served, curl: Curl) -> None:
    login = Curl(served, user=None)(SESSIONS, "POST", LOGIN)
    boot = {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"}
    assert 200 == curl(served.system, "PATCH", {"Boot": boot}).status
    path = f"{served.manager}/Actions/Manager.Reset"

    assert 200 == curl(path, "POST", {"ResetType": "GracefulRestart"}).status
    assert curl.try_("/redfish/v1") is None
    _wait_for(curl)
    assert "None" == curl(served.system).body["Boot"]["BootSourceOverrideTarget"]
    by_token = Curl(served, token=login.headers["x-auth-token"])
    assert 401 == by_token(served.system).status
    assert 400 == curl(path, "POST", {"ResetType": "Hard"}).status


def _wait_for(curl: Curl) -> None:
    deadline = time.monotonic() + 10
    while curl.try_("/redfish/v1") is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_start_listens_everywhere_or_nowhere_and_says_why() -> None:
    free, taken = (make_bmc("dell", f"{rack_network()}.7.{host}") for host in (20, 21))

    async def try_start(server: RedfishServer) -> None:
        with pytest.raises(OSError, match="in use"):
            await server.start()
        await server.stop()

    with serve([taken]) as (one,):
        both = RedfishServer([free, taken], port=PORT, certificate=CERTIFICATE)
        one.on_loop(lambda: try_start(both))
        assert 200 == Curl(one)(one.system).status
    with serve([free, taken]) as rack:
        assert [200, 200] == [Curl(one)(one.system).status for one in rack]


def test_lab_certificate_verifies_against_its_own_authority() -> None:
    bmc = make_bmc("dell", f"{rack_network()}.7.9")
    context = ssl.create_default_context(cadata=CERTIFICATE.ca_pem.decode())
    context.check_hostname = False
    with (
        serve([bmc]) as (one,),
        socket.create_connection((one.bmc.address, PORT), timeout=5) as raw,
        context.wrap_socket(raw) as secured,
    ):
        assert "TLSv1.3" == secured.version()


def test_key_of_the_certificate_is_not_shown() -> None:
    assert "PRIVATE" not in repr(CERTIFICATE)
