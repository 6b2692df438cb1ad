"""Settings: where a value comes from, and every refusal."""

import os
from pathlib import Path

import pytest

from readystate.log import LogFormat
from readystate.settings import SettingsInvalid, load_settings


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that READYSTATE_CONFIG names, empty."""
    path = tmp_path / "readystate.toml"
    path.touch()
    monkeypatch.setenv("READYSTATE_CONFIG", str(path))
    return path


def test_defaults_serve_one_person_on_one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/var/tmp/state")

    settings = load_settings()

    assert Path("/var/tmp/state/readystate") == settings.data_dir
    assert "sqlite:////var/tmp/state/readystate/readystate.db" == settings.database_url.reveal()
    assert "http://127.0.0.1:8000" == settings.api_url
    assert 64 == settings.worker_threads
    assert () == settings.bmc_ranges


def test_arguments_win_over_environment_over_file_over_default(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("ipmi_port = 1001\nredfish_port = 1002\napi_port = 1003\n")
    monkeypatch.setenv("READYSTATE_REDFISH_PORT", "2002")
    monkeypatch.setenv("READYSTATE_API_PORT", "2003")

    settings = load_settings(api_port=3003)

    assert (1001, 2002, 3003) == (settings.ipmi_port, settings.redfish_port, settings.api_port)
    assert 64 == settings.worker_threads


def test_argument_none_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READYSTATE_API_PORT", "2003")

    assert 2003 == load_settings(api_port=None).api_port


def test_data_dir_moves_the_default_database(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "kept")

    assert f"sqlite:///{tmp_path}/kept/readystate.db" == settings.database_url.reveal()


def test_every_kind_of_value_can_come_from_the_file(config: Path, tmp_path: Path) -> None:
    config.write_text(
        f"""
        data_dir = "{tmp_path}"
        bmc_ranges = ["127.0.1.1-127.0.1.12", "10.0.0.0/30"]
        lease_s = 12.5
        log_format = "json"
        annotations_dir = "{tmp_path}"
        """
    )

    settings = load_settings()

    assert ("127.0.1.1-127.0.1.12", "10.0.0.0/30") == settings.bmc_ranges
    assert 12.5 == settings.lease_s
    assert settings.log_format is LogFormat.JSON
    assert tmp_path == settings.annotations_dir


def test_environment_gives_ranges_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READYSTATE_BMC_RANGES", "127.0.1.1-127.0.1.2, 127.0.2.7,")

    assert ("127.0.1.1-127.0.1.2", "127.0.2.7") == load_settings().bmc_ranges


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_url_gets_its_driver(scheme: str) -> None:
    settings = load_settings(database_url=f"{scheme}://rs@db/readystate")

    assert "postgresql+psycopg://rs@db/readystate" == settings.database_url.reveal()


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READYSTATE_API_TOKEN", "canary-token")
    settings = load_settings(database_url="postgresql://rs:canary-password@db/readystate")

    shown = f"{settings} {settings!r} {settings.model_dump()}"

    assert "canary" not in shown
    assert settings.api_token is not None
    assert "canary-token" == settings.api_token.reveal()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().api_port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("api_port", "0", "READYSTATE_API_PORT: Input should be greater than or equal to 1"),
        ("api_port", "https", "READYSTATE_API_PORT: Input should be a valid integer"),
        ("api_url", "192.0.2.1:8000", "is not an http or https URL"),
        ("api_url", "http://me:pw@192.0.2.1", "no user or password may stand in this URL"),
        ("api_host", "0.0.0.0", "api_url is needed, because api_host is '0.0.0.0'"),  # noqa: S104
        ("api_host", "::", "api_url is needed, because api_host is '::'"),
        ("api_host", "", "api_url is needed, because api_host is ''"),
        ("database_url", "mysql://db/x", "neither an SQLite nor a PostgreSQL URL"),
        ("database_url", "/var/lib/x.db", "neither an SQLite nor a PostgreSQL URL"),
        ("database_url", "sqlite://", "an SQLite URL without a file"),
        ("worker_threads", "0", "READYSTATE_WORKER_THREADS: Input should be greater"),
        ("lease_s", "0.5", "READYSTATE_LEASE_S: Input should be greater"),
        ("gate_bmc", "0", "READYSTATE_GATE_BMC: Input should be greater"),
        ("log_format", "xml", "READYSTATE_LOG_FORMAT: Input should be 'json' or 'console'"),
        ("log_level", "loud", "READYSTATE_LOG_LEVEL: String should match"),
        ("annotations_dir", "/no/such/folder", "no such folder: /no/such/folder"),
    ],
)
def test_unusable_value_is_refused_with_its_place(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"READYSTATE_{name.upper()}", value)

    with pytest.raises(SettingsInvalid) as refusal:
        load_settings()

    assert said in refusal.value.why


def test_refused_database_url_does_not_show_its_password() -> None:
    with pytest.raises(SettingsInvalid) as refusal:
        load_settings(database_url="mysql://rs:canary@db/x")

    assert "canary" not in f"{refusal.value} {refusal.value.hint}"


def test_all_problems_are_told_in_one_go(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("ipmi_prot = 623\nlease_s = 0\n")
    monkeypatch.setenv("READYSTATE_GATE_BCM", "1")

    with pytest.raises(SettingsInvalid) as refusal:
        load_settings(api_port=0)

    lines = [line.strip() for line in refusal.value.why.strip().splitlines()]
    assert f"{config}: ipmi_prot is no setting; did you mean {config}: ipmi_port?" == lines[0]
    assert "READYSTATE_GATE_BCM is no setting; did you mean READYSTATE_GATE_BMC?" == lines[1]
    assert {f"{config}: lease_s", "api_port"} == {line.rsplit(": ", 1)[0] for line in lines[2:]}


def test_range_that_is_no_text_and_no_list_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="bmc_ranges: a list, or a text with commas"):
        load_settings(bmc_ranges=7)


def test_missing_config_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READYSTATE_CONFIG", "/no/such/file.toml")

    with pytest.raises(SettingsInvalid, match=r"/no/such/file\.toml: No such file"):
        load_settings()


def test_config_file_that_is_no_toml_is_refused_with_its_line(config: Path) -> None:
    config.write_text("api_port = 1\nnonsense\n")

    with pytest.raises(SettingsInvalid, match=r"not TOML.*line 2"):
        load_settings()


def test_data_dir_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "a" / "b")

    made = settings.ensure_data_dir()

    assert settings.ensure_data_dir() == made
    assert 0o700 == made.stat().st_mode & 0o777


def test_data_dir_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    settings = load_settings(data_dir=tmp_path / "taken")

    with pytest.raises(SettingsInvalid, match="cannot be written") as refusal:
        settings.ensure_data_dir()

    assert "READYSTATE_DATA_DIR" in refusal.value.hint


def test_data_dir_without_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anywhere, so the answer of the kernel is what is planted, not the mode.
    monkeypatch.setattr(os, "access", lambda *_: False)

    with pytest.raises(SettingsInvalid, match="permission denied"):
        load_settings(data_dir=tmp_path).ensure_data_dir()
