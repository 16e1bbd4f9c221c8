"""The base of every model, and the value types that they share."""

import hashlib
import math
import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

API_VERSION = "steadfleet.dev/v1"


class Model(BaseModel):
    """An immutable record: an unknown field is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Contract(Model):
    """A record that people write: its fields are camelCase in YAML."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_duration(text: object) -> object:
    """Read `90s`, `30m`, `2h`, `1d` or `1h30m`; anything but a string passes through."""
    if isinstance(text, bool | int | float):
        raise ValueError("a duration needs a unit: write 30s, 5m, 2h or 1h30m")
    if not isinstance(text, str) or text.startswith("P"):
        return text  # a timedelta, or ISO 8601 as pydantic itself writes it
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError("not a duration: write 30s, 5m, 2h, 1d or 1h30m")
    amounts = zip(match.groups(), ("d", "h", "m", "s"), strict=True)
    return timedelta(seconds=sum(float(amount) * _UNITS[unit] for amount, unit in amounts if amount))


def format_duration(duration: timedelta) -> str:
    """Write a duration as `parse_duration` reads it: `1h30m`, `0.5s`."""
    rest, seconds = divmod(duration.total_seconds(), 60)
    minutes = int(rest)
    amounts = {"d": minutes // 1440, "h": minutes // 60 % 24, "m": minutes % 60, "s": round(seconds, 3)}
    return "".join(f"{amount:g}{unit}" for unit, amount in amounts.items() if amount) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s)?$", "examples": ["30s", "1h30m"]}
    ),
]


def _parse_quota(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("expected a number of hosts (3) or a percentage (10%)")
    if isinstance(value, str) and not re.fullmatch(r"\d+(\.\d+)?%", value):
        raise ValueError("expected a number of hosts (3) or a percentage (10%)")
    if isinstance(value, str) and float(value[:-1]) > 100:  # noqa: PLR2004
        raise ValueError("a percentage cannot be over 100%")
    if isinstance(value, int) and value < 0:
        raise ValueError("a number of hosts cannot be negative")
    return value


Quota = Annotated[
    int | str,
    BeforeValidator(_parse_quota),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?%$"}]}
    ),
]
"""A number of hosts (`3`) or a share of them (`10%`)."""


def at_least(quota: int | str, total: int) -> int:
    """Resolve a quota upwards: 10% of 24 is 3. For wave sizes and disruption budgets."""
    return quota if isinstance(quota, int) else math.ceil(_share(quota, total))


def at_most(quota: int | str, total: int) -> int:
    """Resolve a quota downwards: 10% of 24 is 2. For failure tolerances."""
    return quota if isinstance(quota, int) else math.floor(_share(quota, total))


def _share(quota: str, total: int) -> float:
    # Rounded where floats would lie: 7% of 100 hosts is 7, not 7.000000000000001.
    return round(float(quota[:-1]) * total / 100, 9)


Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def canonical(model: BaseModel) -> bytes:
    """Serialize a model to the bytes that its digest is taken over: field order is the model's own."""
    return model.model_dump_json(by_alias=True).encode()


def without_nones(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
