"""Which server the CLI talks to, and with which token.

The token is never an argument: process lists show those. It comes, first found, from
`--token-file`, the setting `api_token`, `~/.config/readystate/token`, or the data folder of a
server on this machine. The last one goes to no other URL than that server's. Where there is none
at all, a rack that this installation runs is meant."""

import stat
from dataclasses import dataclass
from pathlib import Path

from readystate.cli.errors import Unauthenticated
from readystate.cli.running_rack import find_rack
from readystate.domain.errors import BadRequest
from readystate.domain.secret import Secret

SERVER_TOKEN_FILE = "api-token"  # noqa: S105 - a file's name
USER_TOKEN_FILE = Path(".config/readystate/token")


@dataclass
class Wishes:
    """What was said before the command."""

    url: str | None = None
    token_file: Path | None = None


@dataclass(frozen=True)
class Target:
    url: str
    token: Secret


wishes = Wishes()


def find_target() -> Target:
    """Raises Unauthenticated when there is no token anywhere, and SettingsInvalid."""
    from readystate.settings import load_settings

    settings = load_settings(api_url=wishes.url)
    if wishes.token_file is not None:
        return Target(settings.api_url, read_token(wishes.token_file))
    if settings.api_token is not None:
        return Target(settings.api_url, settings.api_token)
    places = [Path.home() / USER_TOKEN_FILE]
    if wishes.url is None:
        places.append(settings.data_dir / SERVER_TOKEN_FILE)
    for place in places:
        if place.exists():
            return Target(settings.api_url, read_token(place))
    rack = find_rack() if wishes.url is None else None
    if rack is not None:
        return Target(rack.url, read_token(Path(rack.data_dir) / SERVER_TOKEN_FILE))
    raise Unauthenticated(
        f"no token for {settings.api_url}",
        why="looked for " + ", ".join(str(place) for place in places),
        hint="name a file with --token-file, or set READYSTATE_API_TOKEN",
    )


def read_token(path: Path) -> Secret:
    """Raises BadRequest for a file that others can read, or that cannot be read."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise BadRequest(
                f"{path} can be read by others",
                why="whoever reads it may do everything that you may",
                hint=f"chmod 600 {path}",
            )
        return Secret(path.read_text().strip())
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"the token file {path} cannot be read", why=str(error)) from error
