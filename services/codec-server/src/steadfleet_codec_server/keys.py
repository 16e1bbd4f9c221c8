"""`steadfleet-codec-server key`: make payload keys, and say which encrypts. No key is ever printed."""

import base64
import os
import secrets
import sys
from pathlib import Path

from steadfleet_durable.encryption_keys import KEY_BYTES, Keyring, PayloadKeysError, check_key_id


def add(key_id: str, path: Path) -> None:
    """Add a new key at the end of the file; make the file, for its owner alone, if there is none."""
    check_key_id(key_id, key_id)
    written = _written(path) if path.exists() else ""
    line = f"{key_id} {base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}\n"
    _replace(path, written + ("" if written.endswith("\n") or not written else "\n") + line)
    show(path)


def make_first(key_id: str, path: Path) -> None:
    """Move a key's line to the top of the file, so that it encrypts from the next start on."""
    lines = _written(path).splitlines(keepends=True)
    chosen = [line for line in lines if line.split()[:1] == [key_id]]
    if not chosen:
        known = ", ".join(Keyring.from_file(path).keys)
        raise PayloadKeysError(f"{path}: there is no key {key_id}; expected one of {known}")
    rest = "".join(line for line in lines if line not in chosen)
    _replace(path, chosen[0].rstrip("\n") + "\n" + rest)
    show(path)


def show(path: Path) -> None:
    keyring = Keyring.from_file(path)
    for key_id in keyring.keys:
        does = "encrypts and decrypts" if key_id == keyring.current else "decrypts"
        sys.stdout.write(f"{key_id}  {does}\n")


def _written(path: Path) -> str:
    Keyring.from_file(path)
    return path.read_text(encoding="ascii")


def _replace(path: Path, text: str) -> None:
    """Write the file as a whole: a reader sees the one before or the new one, never a part."""
    beside = path.with_name(f".{path.name}.new")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
        try:
            Keyring.from_file(beside)
        except PayloadKeysError as error:
            beside.unlink()
            raise PayloadKeysError(str(error).replace(str(beside), str(path))) from None
        beside.replace(path)
    except OSError as error:
        raise PayloadKeysError(f"{path}: {error.strerror}; expected a place for a file of keys") from error
