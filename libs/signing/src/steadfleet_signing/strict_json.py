"""Read JSON that a stranger wrote: one meaning only, and no more than can be handled."""

import json
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

MOST_LEVELS = 64


def read_object(raw: bytes, *, most_bytes: int) -> dict[str, Any]:
    """Return the one object that `raw` holds; raise ValueError, with words for a person, otherwise."""
    if len(raw) > most_bytes:
        raise ValueError(f"is {len(raw)} bytes long: expected at most {most_bytes}")
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_once_each, parse_constant=_no_constant)
        _check(value)
    except RecursionError:
        raise ValueError(f"is nested too deeply: expected at most {MOST_LEVELS} levels") from None
    except (UnicodeError, json.JSONDecodeError) as error:
        raise ValueError(f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    return value


def first_problem(error: ValidationError) -> str:
    """Say where the first thing is wrong and what, without repeating what a stranger wrote there."""
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"])[:100]
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}"


def _once_each(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    # Two readers that pick different duplicates would judge different documents.
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"has the key {key[:60]!r} twice in one object: expected once")
        values[key] = value
    return values


def _no_constant(name: str) -> None:
    raise ValueError(f"has {name} for a number: expected JSON")


def _check(value: object) -> None:
    """Look at everything, level by level."""
    level: list[Any] = [value]
    for left in range(MOST_LEVELS, -1, -1):
        inside: list[Any] = []
        for one in level:
            if isinstance(one, str):
                one.encode()  # a lone surrogate could be neither logged nor stored
            elif not left and isinstance(one, dict | list):
                raise ValueError(f"is nested too deeply: expected at most {MOST_LEVELS} levels")
            elif isinstance(one, dict):
                inside += one
                inside += one.values()
            elif isinstance(one, list):
                inside += one
        level = inside
