"""Reading a drill's page back, and changing a report one field at a time."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from xml.etree import ElementTree as ET

from pydantic import BaseModel

Path = tuple[str | int, ...]
_LONGER = timedelta(seconds=61)


def parsed(page: str) -> ET.Element:
    """Parse strictly: a tag left open or a sign left bare is an error."""
    return ET.fromstring(page.removeprefix("<!doctype html>\n"))


def words_of(element: ET.Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def part(page: str, anchor: str) -> ET.Element:
    return next(one for one in parsed(page).iter("section") if one.get("id") == anchor)


def pictures(page: str, kind: str) -> list[ET.Element]:
    return [one for one in parsed(page).iter("svg") if one.get("class") == kind]


def leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Yield everything that a report says, with the way to it."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from leaves(getattr(value, name), (*path, name))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, tuple):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, number))
    elif value is not None:
        yield path, value


def changed(value: Any, path: Path, change: Callable[[Any], object]) -> Any:
    """Return the report with one leaf changed, as it is: nothing else is computed again."""
    if not path:
        return change(value)
    first, rest = path[0], path[1:]
    if isinstance(value, BaseModel):
        return value.model_copy(update={str(first): changed(getattr(value, str(first)), rest, change)})
    if isinstance(value, dict):
        return value | {str(first): changed(value[first], rest, change)}
    return tuple(
        changed(inner, rest, change) if number == first else inner for number, inner in enumerate(value)
    )


def otherwise(value: Any) -> object:
    """Return another value of the same kind."""
    if isinstance(value, Enum):
        return next(other for other in type(value) if other is not value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, datetime | timedelta):
        return value + _LONGER
    return f"{value}x" if isinstance(value, str) else value + 1
