"""The graph that ships: sound, in the expected order, and harmless until told otherwise."""

import os
from pathlib import Path

import pytest

from readystate.adapters.declared.annotations import load_catalog
from readystate.domain.catalog import Catalog
from readystate.domain.ids import RoleName
from readystate.domain.role import Epoch, Flag, Lane, Scope

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "shipped-edges.txt"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(ROOT / "annotations")


def edges(catalog: Catalog) -> str:
    lines = []
    for name in catalog.order():
        for need in catalog.parents(name):
            lines.append(f"{name} {need.reason} {need.name}")
        for soft in catalog.soft_parents(name):
            lines.append(f"{name} softly {soft.reason} {soft.name}")
    return "\n".join(lines) + "\n"


def test_shipped_edges_are_the_golden_ones(catalog: Catalog) -> None:
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_text(edges(catalog))

    assert GOLDEN.read_text() == edges(catalog)


def test_milestones_stand_in_the_order_of_a_node_s_life(catalog: Catalog) -> None:
    milestones = [n for n in catalog.order() if Flag.MILESTONE in catalog.role(n).flags]

    assert milestones == ["discovered", "hardware-ready", "installed", "networked", "ready"]


def test_ready_stands_above_nothing_and_below_every_other_role(catalog: Catalog) -> None:
    assert catalog.ancestors(RoleName("ready")) == set(catalog.roles) - {"ready"}


def test_discovery_binds_what_can_do_no_harm(catalog: Catalog) -> None:
    assert catalog.discovery() == ("bmc-managed", "inventory", "discovered")
    pulled_in = {
        above for name in catalog.discovery() for above in (name, *catalog.ancestors(name))
    }
    assert not [name for name in pulled_in if catalog.role(name).is_destructive]


@pytest.mark.parametrize(
    ("name", "gate"),
    [
        ("firmware-baseline", "hardware/firmware/enabled"),
        ("bios-configured", "hardware/bios/enabled"),
        ("raid-configured", "hardware/raid/enabled"),
        ("proxy-service", "services/proxy/enabled"),
        ("proxy-client", "services/proxy/enabled"),
    ],
)
def test_subsystems_are_off_until_enabled(catalog: Catalog, name: str, gate: str) -> None:
    assert catalog.role(RoleName(name)).when == ((gate, True),)
    assert catalog.attribute(gate).default is False


def test_what_lives_on_the_disk_is_un_settled_by_a_reinstall(catalog: Catalog) -> None:
    on_disk = {name for name, role in catalog.roles.items() if role.lane is Lane.OS}

    assert on_disk == {
        "network-admin",
        "dns-client",
        "ntp-client",
        "proxy-client",
        "package-sources",
    }
    assert {catalog.role(name).invalidated_by for name in on_disk} == {frozenset({Epoch.REINSTALL})}


def test_services_are_one_for_the_deployment(catalog: Catalog) -> None:
    assert {n for n, role in catalog.roles.items() if role.scope is Scope.DEPLOYMENT} == {
        "dns-service",
        "ntp-service",
        "proxy-service",
        "boot-service",
    }


def test_service_outputs_are_the_wants_without_their_first_part(catalog: Catalog) -> None:
    """The rule by which the call `service_declared` names its outputs."""
    for role in catalog.roles.values():
        if role.argument == "service_declared":
            wanted = {want.attribute.removeprefix("services/") for want in role.wants}
            assert {out.name for out in role.outputs} == wanted
