"""The base of every model, and the value types that they share."""

import hashlib
import json
import math
import re
from datetime import timedelta
from fractions import Fraction
from typing import Annotated, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from steadfleet_core.answers import Answers

API_VERSION = "steadfleet.dev/v1"


class Model(BaseModel):
    """An immutable record: an unknown field is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Contract(Model):
    """A record that people write: its fields are camelCase in YAML.

    `answers` belong to a kind, and are read from the class that is being read.
    """

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)
    answers: ClassVar[Answers] = Answers()


_NAME = r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"
_NAME_WORDS = "1 to 63 lower-case letters, digits, dots and dashes, with a letter or digit at both ends"

# A description is what a problem says was expected, and what an editor shows of the schema.
Name = Annotated[str, StringConstraints(pattern=_NAME), Field(description=_NAME_WORDS)]
Text = Annotated[str, StringConstraints(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=1, le=65535)]


_DURATION = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+(?:\.[0-9]{1,6})?)s)?")
_DURATION_WORDS = "a duration such as 30s, 5m, 2h, 1d or 1h30m"


def parse_duration(value: object) -> object:
    """Read `90s`, `30m`, `2h`, `1d` or `1h30m`; a timedelta passes through, if it is not negative."""
    if isinstance(value, timedelta):
        if value < timedelta(0):
            raise ValueError("a duration cannot be negative")
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"a duration needs a unit: expected {_DURATION_WORDS}")
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise ValueError(f"expected {_DURATION_WORDS}")
    days, hours, minutes, seconds = (amount or "0" for amount in match.groups())
    try:
        return timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    except (OverflowError, ValueError) as error:  # years beyond a timedelta, digits beyond an int
        raise ValueError(f"longer than any campaign: expected {_DURATION_WORDS}") from error


def format_duration(duration: timedelta) -> str:
    """Write a duration as `parse_duration` reads it, exactly: `1h30m`, `0.5s`."""
    hours, rest = divmod(duration.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{duration.microseconds:06}".rstrip("0") if duration.microseconds else ""
    amounts = {"d": str(duration.days), "h": str(hours), "m": str(minutes), "s": f"{seconds}{fraction}"}
    return "".join(f"{amount}{unit}" for unit, amount in amounts.items() if amount != "0") or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "pattern": r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+(\.[0-9]{1,6})?s)?$",
            "description": _DURATION_WORDS,
        }
    ),
]


def _not_zero(duration: timedelta) -> timedelta:
    if not duration:
        raise ValueError("must be more than 0s")
    return duration


PositiveDuration = Annotated[Duration, AfterValidator(_not_zero)]


def between(least: timedelta, most: timedelta) -> AfterValidator:
    def check(duration: timedelta) -> timedelta:
        if not least <= duration <= most:
            raise ValueError(f"expected {format_duration(least)} to {format_duration(most)}")
        return duration

    return AfterValidator(check)


_PERCENT = r"(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)%"
_SOME_PERCENT = r"(100(\.0+)?|[1-9][0-9]?(\.[0-9]+)?|0[1-9](\.[0-9]+)?|0{1,2}\.0*[1-9][0-9]*)%"
_QUOTA_WORDS = "a number of hosts (3) or a percentage of them (10%), at most 100%"


def _parse_quota(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(_PERCENT, value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"expected {_QUOTA_WORDS}")


def _some(value: int | str) -> int | str:
    if not at_least(value, 1):
        raise ValueError(f"must be more than 0: expected {_QUOTA_WORDS}")
    return value


def _quota_schema(minimum: int, percent: str) -> WithJsonSchema:
    kinds = [{"type": "integer", "minimum": minimum}, {"type": "string", "pattern": f"^{percent}$"}]
    return WithJsonSchema({"anyOf": kinds, "description": _QUOTA_WORDS})


Quota = Annotated[int | str, BeforeValidator(_parse_quota), _quota_schema(0, _PERCENT)]
"""A number of hosts (`3`) or a share of them (`10%`)."""

PositiveQuota = Annotated[
    int | str, BeforeValidator(_parse_quota), AfterValidator(_some), _quota_schema(1, _SOME_PERCENT)
]


def at_least(quota: int | str, total: int) -> int:
    """Resolve a quota upwards: 10% of 24 is 3. For wave sizes and disruption budgets."""
    return quota if isinstance(quota, int) else math.ceil(_share(quota, total))


def at_most(quota: int | str, total: int) -> int:
    """Resolve a quota downwards: 10% of 24 is 2. For failure tolerances."""
    return quota if isinstance(quota, int) else math.floor(_share(quota, total))


def _share(quota: str, total: int) -> Fraction:
    # Exact, where floats lie: 7% of 100 hosts is 7, not 7.000000000000001 and so 8.
    return Fraction(quota[:-1]) * total / 100


Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def canonical(model: BaseModel) -> bytes:
    """Serialize a model to the one sequence of bytes that its digest is taken over."""
    return json.dumps(
        model.model_dump(mode="json", by_alias=True), sort_keys=True, separators=(",", ":")
    ).encode()
