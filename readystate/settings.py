"""The process's settings: environment and file to one frozen object. Nothing else in readystate
reads the environment (a house test sees to that).

Strongest first: arguments (a command's flags), environment `READYSTATE_<NAME>`, the TOML file that
`READYSTATE_CONFIG` names, the defaults below. A name that no setting bears is refused wherever it
stands, and all problems are told in one go. What an operator decides about nodes is no setting but
an attribute, in the database."""

import difflib
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from readystate.domain.errors import BadRequest, ReadystateError
from readystate.domain.secret import Secret
from readystate.log import LogFormat

PREFIX = "READYSTATE_"
CONFIG_VARIABLE = "READYSTATE_CONFIG"


class SettingsInvalid(BadRequest):
    """One or more settings cannot be used; `why` has a line for each."""


def _parse_ranges(value: object) -> tuple[str, ...]:
    """Ranges as text: what is one is the scan's business, which tells it when it is asked."""
    parts: Iterable[object] = value.split(",") if isinstance(value, str) else _as_items(value)
    return tuple(text for text in (str(part).strip() for part in parts) if text)


def _as_items(value: object) -> Iterable[object]:
    if isinstance(value, list | tuple):
        return value
    raise BadRequest("a list, or a text with commas, is expected")


def _parse_database_url(value: object) -> Secret:
    """The URL with its driver spelt out. A `Secret`, because it may hold a password."""
    text = value.reveal() if isinstance(value, Secret) else str(value)
    scheme, found, rest = text.partition("://")
    drivers = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
    scheme = drivers.get(scheme, scheme)
    if not found or scheme not in ("sqlite", "postgresql+psycopg"):
        # The value itself is not repeated: it may hold a password.
        raise BadRequest(
            "neither an SQLite nor a PostgreSQL URL",
            hint="write sqlite:////var/lib/readystate/readystate.db or postgresql://user@db/name",
        )
    if scheme == "sqlite" and len(rest.lstrip("/")) == 0:
        raise BadRequest("an SQLite URL without a file", why="state would be lost at every stop")
    return Secret(f"{scheme}://{rest}")


def _parse_http_url(value: object) -> str:
    text = str(value).rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadRequest(
            f"{text!r} is not an http or https URL", hint="write http://192.0.2.1:8000"
        )
    if parts.username or parts.password:
        raise BadRequest("no user or password may stand in this URL", why="nodes and logs see it")
    return text


def _parse_secret(value: object) -> Secret:
    return value if isinstance(value, Secret) else Secret(str(value))


def _default_data_dir() -> Path:
    """XDG Base Directory 0.8: state that outlives a restart but is not worth carrying along."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "readystate"


def _parse_folder(value: object) -> Path:
    return Path(str(value)).expanduser().absolute()


def _parse_existing_folder(value: object) -> Path:
    folder = _parse_folder(value)
    if not folder.is_dir():
        raise BadRequest(f"no such folder: {folder}")
    return folder


def _refusing(parse: Callable[[object], Any]) -> PlainValidator:
    """pydantic gathers only its own errors: hand it ours in a coat."""

    def parse_for_pydantic(value: object) -> Any:
        try:
            return parse(value)
        except ReadystateError as error:
            raise PydanticCustomError("refused", "{said}", {"said": _worded(error)}) from error

    return PlainValidator(parse_for_pydantic)


Folder = Annotated[Path, _refusing(_parse_folder)]
ExistingFolder = Annotated[Path, _refusing(_parse_existing_folder)]
HttpUrl = Annotated[str, _refusing(_parse_http_url)]
#: pydantic would write a dataclass out field by field, the secret too.
_CONCEALED = PlainSerializer(str)
DatabaseUrl = Annotated[Secret, _refusing(_parse_database_url), _CONCEALED]
Token = Annotated[Secret, _refusing(_parse_secret), _CONCEALED]
Ranges = Annotated[tuple[str, ...], _refusing(_parse_ranges)]
Port = Annotated[int, Field(ge=1, le=65535)]
Places = Annotated[int, Field(ge=1, le=100_000)]


class Settings(BaseModel):
    """All settings. Build it with `load_settings`, which gives readable refusals."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    #: Everything that readystate keeps. Default: `~/.local/state/readystate`, by XDG_STATE_HOME.
    data_dir: Folder
    #: SQLite file or PostgreSQL. Default: `readystate.db` in `data_dir`.
    database_url: DatabaseUrl

    #: Where the API listens.
    api_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    #: Its port.
    api_port: Port = 8000
    #: How nodes and people reach the API; stands in boot scripts. Default: from host and port.
    api_url: HttpUrl
    #: With which the CLI asks the API. Without it the token file in `data_dir` is read.
    api_token: Token | None = None

    #: Where the BMC scan looks: `10.0.0.7`, `10.0.0.7-10.0.0.9`, `10.0.0.0/24`; a list, or commas.
    bmc_ranges: Ranges = ()
    #: Where BMCs answer RMCP+; another one where a lab may not bind 623.
    ipmi_port: Port = 623
    #: Where BMCs answer HTTPS.
    redfish_port: Port = 443
    #: Whether a BMC must show a certificate for its address that this machine trusts.
    bmc_tls_verify: bool = False

    #: Runs that one process carries out at once.
    worker_threads: Annotated[int, Field(ge=1, le=1024)] = 64
    #: A worker that is silent for so long has lost its runs; it stops them itself before that.
    lease_s: Annotated[float, Field(ge=1, le=3600)] = 60.0

    #: Admission: runs in transition at once, over everything.
    gate_total: Places = 512
    #: The same for one deployment.
    gate_deployment: Places = 256
    #: The same for one rack.
    gate_rack: Places = 40
    #: The same for one BMC; many serve one session well and two badly.
    gate_bmc: Places = 1
    #: The same for one boot server: nodes that fetch an operating system side by side.
    gate_boot_server: Places = 64

    #: `console` for people, `json` for machines.
    log_format: LogFormat = LogFormat.CONSOLE
    #: `debug`, `info`, `warning` or `error`.
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"

    #: Use the annotations of this folder instead of the shipped ones.
    annotations_dir: ExistingFolder | None = None

    def ensure_data_dir(self) -> Path:
        """`data_dir`, made if absent and for its owner alone; idempotent. Raises SettingsInvalid
        when it cannot be written."""
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._data_dir_refused(error.strerror or str(error)) from error
        if not os.access(self.data_dir, os.W_OK | os.X_OK):
            raise self._data_dir_refused("permission denied")
        return self.data_dir

    def _data_dir_refused(self, why: str) -> SettingsInvalid:
        return SettingsInvalid(
            f"data_dir cannot be written: {self.data_dir}",
            why=why,
            hint=f"set {PREFIX}DATA_DIR to a folder of your own",
        )


def load_settings(**arguments: Any) -> Settings:
    """Settings from arguments, environment and file, in that order of precedence; an argument that
    is None counts as not given. Raises SettingsInvalid with every problem at once."""
    config = os.environ.get(CONFIG_VARIABLE)
    sources = (
        # weakest first; how each spells the name of a setting
        (_read_file(Path(config).expanduser()) if config else {}, lambda name: f"{config}: {name}"),
        (_from_environment(), lambda name: PREFIX + name.upper()),
        ({name: value for name, value in arguments.items() if value is not None}, str),
    )
    merged: dict[str, Any] = {}
    places: dict[str, str] = {}
    problems: list[str] = []
    for values, spell in sources:
        problems += _unknown_names(values, spell)
        merged |= values
        places |= {name: spell(name) for name in values}
    known = {name: value for name, value in merged.items() if name in Settings.model_fields}
    problems += _check_reachable(known)
    try:
        settings = Settings(**(_derived_defaults(known) | known))
    except ValidationError as error:
        problems += [_told(problem, places) for problem in error.errors()]
    if problems:
        raise _refusal(problems)
    return settings


def _derived_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults that rest on other settings or on who we are."""
    data_dir = _parse_folder(values.get("data_dir", _default_data_dir()))
    host = _api_host(values)
    port = values.get("api_port", Settings.model_fields["api_port"].default)
    return {
        "data_dir": data_dir,
        "database_url": f"sqlite:///{data_dir / 'readystate.db'}",
        "api_url": f"http://{f'[{host}]' if ':' in host else host or 'unset'}:{port}",
    }


def _api_host(values: Mapping[str, Any]) -> str:
    return str(values.get("api_host", Settings.model_fields["api_host"].default))


def _check_reachable(values: Mapping[str, Any]) -> list[str]:
    host = _api_host(values)
    if "api_url" in values or not _is_wildcard(host):
        return []
    return [
        f"api_url is needed, because api_host is {host!r} "
        "and nodes cannot call back to that (write api_url = http://192.0.2.1:8000)"
    ]


def _from_environment() -> dict[str, str]:
    return {
        variable[len(PREFIX) :].lower(): value
        for variable, value in os.environ.items()
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE
    }


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise _refusal([f"{CONFIG_VARIABLE}: {path}: {error.strerror}"]) from error
    except tomllib.TOMLDecodeError as error:
        raise _refusal([f"{path}: not TOML: {error}"]) from error


def _unknown_names(names: Iterable[str], spell: Callable[[str], str]) -> list[str]:
    known = list(Settings.model_fields)
    problems = []
    for name in sorted(set(names) - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {spell(near[0])}?" if near else ""
        problems.append(f"{spell(name)} is no setting{hint}")
    return problems


def _told(problem: ErrorDetails, places: Mapping[str, str]) -> str:
    """One line: where the value stands, and what is wrong with it."""
    name = str(problem["loc"][0])
    return f"{places.get(name, name)}: {problem['msg']}"


def _worded(error: ReadystateError) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)


def _refusal(problems: list[str]) -> SettingsInvalid:
    return SettingsInvalid(
        "the settings cannot be used",
        why="".join(f"\n  {problem}" for problem in problems),
        hint="strongest first: flags, environment, the READYSTATE_CONFIG file, defaults",
    )


def _is_wildcard(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return host == ""
