"""Profile files become profiles; the shipped ones fit the shipped attributes."""

from pathlib import Path

from readystate.adapters.declared.annotation_files import AnnotationFiles
from readystate.adapters.declared.annotations import declare_roles
from readystate.adapters.declared.profiles import load_profiles
from readystate.domain.profile import Profile, choose_rule

SHIPPED = Path(__file__).resolve().parents[4] / "annotations"


def load(folder: Path) -> tuple[Profile, ...]:
    profiles, problems = load_profiles(folder, declare_roles(AnnotationFiles.read(SHIPPED))[0])
    assert problems == []
    return profiles


def test_a_profile_holds_its_values(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "lab.yml").write_text(
        "profile: lab\nsummary: For the lab.\nattributes: {services/proxy/enabled: true}\n"
    )

    assert load(tmp_path) == (Profile("lab", "For the lab.", {"services/proxy/enabled": True}),)


def test_a_folder_without_profiles_has_none(tmp_path: Path) -> None:
    assert load(tmp_path) == ()


def test_shipped_profiles_switch_nothing_on() -> None:
    assert all(not name.endswith("enabled") for item in load(SHIPPED) for name in item.values)


def test_the_shipped_bios_profile_has_one_rule_for_each_vendor_it_knows() -> None:
    profile = next(item for item in load(SHIPPED) if item.name == "bios-virtualisation")
    rules = profile.values["hardware/bios/profile"]

    chosen = [
        choose_rule(rules, vendor=vendor, model=model, attribute="hardware/bios/profile")
        for vendor, model in (
            ("Dell Inc.", "PowerEdge R750"),
            ("HPE", "ProLiant DL360 Gen10 Plus"),
            ("Supermicro", "SYS-F618H6-FTPTL+"),
        )
    ]

    assert chosen == rules
