"""Secrets at rest: sealed with a key that lies beside the database, never in it.

The key file holds one Fernet key on each line, the current one first. To rotate, put a new key
before the old ones, start again and `SqlStore.reseal`; then the old lines may go. The key of marks
beside it is never rotated: whatever rests on a secret would run again."""

import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from readystate.adapters.store.refusals import StoreError
from readystate.domain.errors import BadRequest
from readystate.domain.secret import Secret

_SEALED = "$sealed"
MARKS_FILE = "marks.key"


class Seal:
    """Writes JSON in which secrets are sealed, and reads it again."""

    def __init__(self, keys: list[str], marks_key: str) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._marks_key = marks_key.encode()

    def conceal(self, secret: Secret) -> str:
        return self._fernet.encrypt(secret.reveal().encode()).decode()

    def uncover(self, token: str) -> Secret:
        """Raises StoreError when the token was sealed with a key that is not here."""
        try:
            value = self._fernet.decrypt(token.encode())
        except InvalidToken as error:
            raise StoreError(
                "a stored secret cannot be opened",
                why="it was sealed with another key than those in secrets.key",
                hint="put the old key back as a further line of secrets.key",
            ) from error
        mark = hmac.new(self._marks_key, value, hashlib.sha256).hexdigest()[:24]
        return Secret(value.decode(), mark)

    def rotated(self, token: str) -> str:
        """The same secret under the current key. Raises StoreError as `uncover` does."""
        return self.conceal(self.uncover(token))

    def resealed(self, text: str) -> str:
        """JSON text with every sealed secret in it under the current key."""

        def again(value: dict[str, Any]) -> dict[str, Any]:
            token = value.get(_SEALED)
            return value if token is None else {_SEALED: self.rotated(token)}

        return json.dumps(json.loads(text, object_hook=again), separators=(",", ":"))

    def text_of(self, value: Any) -> str:
        """JSON text of a value that may hold secrets anywhere. Raises BadRequest for what would
        read as a sealed secret, and TypeError for what JSON cannot say."""
        return json.dumps(self._sealed(value), separators=(",", ":"))

    def value_of(self, text: str) -> Any:
        if _SEALED not in text:
            return json.loads(text)
        return json.loads(text, object_hook=self._opened)

    def _sealed(self, value: Any) -> Any:
        if isinstance(value, Secret):
            return {_SEALED: self.conceal(value)}
        if isinstance(value, dict):
            if _SEALED in value:
                raise BadRequest(f"{_SEALED} cannot be a key", why="it marks sealed secrets")
            return {key: self._sealed(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._sealed(item) for item in value]
        return value

    def _opened(self, value: dict[str, Any]) -> Any:
        token = value.get(_SEALED)
        return value if token is None else self.uncover(token)


def load_seal(key_file: Path) -> Seal:
    """The seal of this key file, which is made (for its owner alone) if it is absent."""
    return Seal(_load_keys(key_file), _load_keys(key_file.with_name(MARKS_FILE))[0])


def _load_keys(key_file: Path) -> list[str]:
    try:
        descriptor = os.open(key_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return _keys_in(key_file)
    key = Fernet.generate_key().decode()
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{key}\n")
        file.flush()
        os.fsync(file.fileno())
    return [key]


def _keys_in(key_file: Path) -> list[str]:
    if key_file.stat().st_mode & 0o077:
        raise StoreError(
            f"{key_file} can be read by others",
            why="it holds the key to all stored passwords",
            hint=f"chmod 600 {key_file}",
        )
    keys = key_file.read_text().split()
    if not keys:
        raise StoreError(
            f"{key_file} holds no key",
            why="it is empty",
            hint="restore it from a backup; remove it only if no secret was ever stored",
        )
    return keys
