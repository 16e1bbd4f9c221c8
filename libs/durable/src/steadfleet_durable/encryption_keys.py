"""The keys that payloads are encrypted with: a file of them, named by `STEADFLEET_PAYLOAD_KEYS`.

One `<key id> <base64 of 32 bytes>` a line; `#` begins a comment. The first key encrypts, all decrypt.
"""

import base64
import binascii
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from steadfleet_durable.connection_config import PAYLOAD_KEYS, ConnectionConfigError

KEY_BYTES = 32

_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class PayloadKeysError(ConnectionConfigError):
    """The file of payload keys cannot be right. Its text never holds what might be a key."""


@dataclass(frozen=True)
class Keyring:
    """Payload keys by their ids; `current` encrypts, each decrypts."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None) -> Self | None:
        """Read the file that `STEADFLEET_PAYLOAD_KEYS` names; None without: nothing is encrypted."""
        path = (os.environ if env is None else env).get(PAYLOAD_KEYS)
        return cls.from_file(Path(path)) if path else None

    @classmethod
    def from_file(cls, path: Path) -> Self:
        keys: dict[str, bytes] = {}
        for number, line in _lines(path):
            key_id, key = _entry(f"{path}, line {number}", line)
            if key_id in keys:
                raise PayloadKeysError(f"{path}, line {number}: a second key {key_id}: give each its own id")
            keys[key_id] = key
        if not keys:
            raise PayloadKeysError(
                f"{path}: there is no key in it; make one with `steadfleet-codec-server key new`"
            )
        return cls(current=next(iter(keys)), keys=keys)


def check_key_id(key_id: str, where: str) -> str:
    if not _KEY_ID.fullmatch(key_id):
        raise PayloadKeysError(
            f"{where}: that is no key id; expected up to 64 letters, digits, dots, dashes and underscores,"
            " such as 2026-11"
        )
    return key_id


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        written = path.read_text(encoding="ascii")
    except UnicodeDecodeError as error:
        raise PayloadKeysError(
            f"{path}: it is not plain text; expected `<key id> <base64 of {KEY_BYTES} bytes>` a line"
        ) from error
    except OSError as error:
        raise PayloadKeysError(f"{path}: {error.strerror}; correct {PAYLOAD_KEYS}, or remove it") from error
    for number, line in enumerate(written.splitlines(), start=1):
        said = line.partition("#")[0].strip()
        if said:
            yield number, said


def _entry(where: str, line: str) -> tuple[str, bytes]:
    words = line.split()
    if len(words) != 2:  # noqa: PLR2004  # the id and the key
        raise PayloadKeysError(
            f"{where}: expected `<key id> <base64 of {KEY_BYTES} bytes>`, got {len(words)} words"
        )
    key_id = check_key_id(words[0], where)
    try:
        key = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        # Not as a cause: a traceback shows it, and the key with it.
        raise PayloadKeysError(f"{where}: key {key_id} is not base64") from None
    if len(key) != KEY_BYTES:
        raise PayloadKeysError(f"{where}: key {key_id} has {len(key)} bytes, expected {KEY_BYTES}")
    return key_id, key
