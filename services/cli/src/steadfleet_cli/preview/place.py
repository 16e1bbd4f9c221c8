"""Which Temporal a change's preview talks to: that of a secret, its own, or, said in words, production's.

Nothing else decides. `TEMPORAL_*` variables, which a runner may have from elsewhere, are heard for
production alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

CONFIG = "STEADFLEET_PREVIEW_CONFIG"
PRODUCTION = "STEADFLEET_PRODUCTION_ADDRESSES"
IN_WORDS = "STEADFLEET_PREVIEW_ON_PRODUCTION"
PROFILE = "preview"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_CLOUD = (".tmprl.cloud", ".api.temporal.io")
_SAYS_WHERE = ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE")


class Where(StrEnum):
    """Whose Temporal it is, in the order in which they are considered."""

    GIVEN = "given"
    OWN = "own"
    PRODUCTION = "production"


class PlaceError(ValueError):
    """What was said does not decide where a preview goes; nothing was touched."""


@dataclass(frozen=True)
class Place:
    """Where a change's preview goes, and why; `config` is the file of a given place."""

    change: str
    where: Where
    because: str
    config: str | None = None

    @property
    def namespace(self) -> str:
        """Return the preview's own: on a server that others use too, it is named after the change."""
        return "default" if self.where is Where.OWN else f"preview-{self.change}"


def sentence(change: str) -> str:
    """Return what has to be said for production: it names the change, so that it holds for no other."""
    return f"run preview {change} on production"


def choose(change: str, env: Mapping[str, str]) -> Place:
    """Decide from what was said in the environment."""
    if not _NAME.fullmatch(change):
        raise PlaceError(
            f"change {change!r}: expected up to 40 of a-z, 0-9 and '-', such as the number of a pull request"
        )
    config, words = env.get(CONFIG), env.get(IN_WORDS)
    if words and words != sentence(change):
        raise PlaceError(f"{IN_WORDS}={words!r}: expected nothing, or {sentence(change)!r}")
    if config and words:
        raise PlaceError(f"{CONFIG} and {IN_WORDS} are both set, and name two places: remove one")
    if config:
        return Place(change, Where.GIVEN, f"{CONFIG} is set", config)
    if words:
        return _production(change, env)
    return Place(change, Where.OWN, f"neither {CONFIG} nor {IN_WORDS} is set")


def _production(change: str, env: Mapping[str, str]) -> Place:
    if not any(env.get(name) for name in _SAYS_WHERE):
        raise PlaceError(f"{IN_WORDS} is set, but not where production is: set {' or '.join(_SAYS_WHERE)}")
    return Place(change, Where.PRODUCTION, f"{IN_WORDS} says so")


def refuse_address(place: Place, address: str, env: Mapping[str, str]) -> None:
    """Refuse a server where no namespace can be made, and production's by the name of another place."""
    if address.rpartition(":")[0].lower().endswith(_CLOUD):
        raise PlaceError(
            f"{address} is Temporal Cloud, which makes namespaces by its control plane alone: leave {CONFIG}"
            " empty, and the preview has an engine of its own"
        )
    if place.where is Where.GIVEN:
        _refuse_production(place, address, env)


def _refuse_production(place: Place, address: str, env: Mapping[str, str]) -> None:
    said = env.get(PRODUCTION)
    if not said:
        raise PlaceError(
            f"{PRODUCTION} is not set, so nobody can tell whether {address} is production: set it to"
            " production's `host:port`, by commas, or to none"
        )
    if address.lower() in {one.strip().lower() for one in said.split(",")}:
        raise PlaceError(
            f"{CONFIG} names {address}, which is production: name another server, or remove it and set"
            f" {IN_WORDS}={sentence(place.change)!r}"
        )
