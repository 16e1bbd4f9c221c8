"""Add a ledger to the file that a running witness follows, and take it out again."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from steadfleet_core.errors import RefusedError


@contextmanager
def kept_besides(file: Path, ledger: Mapping[str, Any]) -> Iterator[None]:
    """Have this ledger kept besides those of the file, which is as it was in the end."""
    before = _read(file)
    written = yaml.safe_dump({"ledgers": [*_ledgers(file, before), dict(ledger)]}, sort_keys=False)
    _replace(file, written)
    try:
        yield
    finally:
        now = _read(file)
        if now != written:  # somebody changed it meanwhile: take out what is ours, and keep the rest
            rest = [one for one in _ledgers(file, now) if one.get("name") != ledger["name"]]
            before = yaml.safe_dump({"ledgers": rest}, sort_keys=False)
        _replace(file, before)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise RefusedError(
            f"{file}: {error.strerror}; expected the file that the witness of `steadfleet up` follows"
        ) from error


def _ledgers(file: Path, text: str) -> list[dict[str, Any]]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RefusedError(
            f"{file} is no YAML: {error}; correct it, as the witness cannot follow it"
        ) from error
    return list((found or {}).get("ledgers") or [])


def _replace(file: Path, text: str) -> None:
    """Replace the whole: the witness may be reading it."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_text(text)
    beside.replace(file)
