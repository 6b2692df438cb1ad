"""The hardware and the addresses of a planned rack."""

import re
from ipaddress import ip_address, ip_network

import pytest

from readystate.domain.errors import BadRequest
from readystate.domain.secret import Secret
from readystate.lab.rack_plan import LOOPBACK, BmcLogin, LabPorts, RackPlan, plan_rack

LOGIN = BmcLogin("admin", Secret("no-matter"))


def plan(count: int = 12, *, network: str = "127.32", seed: int = 0, **words: object) -> RackPlan:
    return plan_rack(count, network=network, ports=LabPorts(), login=LOGIN, seed=seed, **words)  # type: ignore[arg-type]


def test_the_same_words_give_the_same_rack() -> None:
    assert plan(40, seed=7).machines == plan(40, seed=7).machines


def test_another_seed_gives_other_machines() -> None:
    ours, theirs = plan(seed=1).machines, plan(seed=2).machines

    assert not {item.hardware.uuid for item in ours} & {item.hardware.uuid for item in theirs}
    assert not {item.hardware.serial for item in ours} & {item.hardware.serial for item in theirs}


def test_a_larger_rack_begins_with_the_smaller_one() -> None:
    assert plan(30).machines == plan(1000).machines[:30]


def test_nothing_that_identifies_a_machine_is_there_twice() -> None:
    machines = plan(5000).machines
    hardware = [item.hardware for item in machines]
    macs = [nic.mac for item in hardware for nic in item.nics]
    drives = [drive.serial for item in hardware for drive in item.drives]
    addresses = [address for it in machines for address in (it.bmc_address, it.ssh_address)]

    for values in (macs, drives, addresses, [it.serial for it in hardware],
                   [it.uuid for it in hardware], [it.asset_tag for it in hardware]):  # fmt: skip
        assert len(values) == len(set(values))
    assert all(re.fullmatch("([0-9a-f]{2}:){5}[0-9a-f]{2}", mac) for mac in macs)
    assert all(
        re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", it.uuid) for it in hardware
    )


def test_addresses_are_loopback_ones_in_the_labs_two_networks() -> None:
    machines = plan(1000, network="127.40").machines

    assert all(ip_address(it.bmc_address) in ip_network("127.40.0.0/16") for it in machines)
    assert all(ip_address(it.ssh_address) in ip_network("127.41.0.0/16") for it in machines)
    assert all(ip_address(it.bmc_address) in LOOPBACK for it in machines)
    assert not [it for it in machines if it.bmc_address.rsplit(".", 1)[1] in ("0", "255")]


def test_the_scan_range_spans_all_bmcs() -> None:
    rack = plan(251)

    assert ["127.32.0.1", "127.32.0.250", "127.32.1.1"] == [
        rack.machines[index].bmc_address for index in (0, 249, 250)
    ]
    assert "127.32.0.1-127.32.1.1" == rack.bmc_range


def test_vendors_come_in_turn() -> None:
    assert ["dell", "hpe", "supermicro", "generic-ipmi"] * 3 == [
        item.hardware.personality for item in plan(12).machines
    ]


def test_only_the_asked_for_personalities_are_built() -> None:
    rack = plan(3, personalities=("hpe",))

    assert {"hpe"} == {item.hardware.personality for item in rack.machines}


@pytest.mark.parametrize("count", [0, -1, 63751])
def test_a_rack_of_no_or_too_many_machines_is_refused(count: int) -> None:
    with pytest.raises(BadRequest, match=f"a rack of {count} machines cannot be made"):
        plan(count)


def test_an_unknown_personality_is_refused_with_a_guess() -> None:
    with pytest.raises(BadRequest, match="no personality is called 'del'") as refused:
        plan(personalities=("del",))

    assert 'did you mean "dell"?' == refused.value.hint


@pytest.mark.parametrize(
    "network", ["", "127", "127.0", "127.254", "10.0", "127.32.0", "127.x", "127.-1"]
)
def test_what_is_no_network_for_a_lab_is_refused(network: str) -> None:
    with pytest.raises(BadRequest, match="is no network for a lab"):
        plan(network=network)


def test_the_password_is_in_no_description_of_a_rack() -> None:
    assert "no-matter" not in repr(plan(1))
