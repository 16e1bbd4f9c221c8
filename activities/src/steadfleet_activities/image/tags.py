"""The tags of images and of all that building them makes."""

from datetime import UTC, datetime

from steadfleet_activities.fleet.tags import EXPIRES_AT, FAMILY, RUN, VERSION
from steadfleet_core.image.order import Build

__all__ = [
    "BUILT_FROM",
    "ENDED_AT",
    "EXPIRES_AT",
    "FAMILY",
    "KEY",
    "LOG",
    "ORDER",
    "RUN",
    "SOURCE_IMAGE",
    "STARTED_AT",
    "VERSION",
    "temporary",
    "written",
]

KEY = "steadfleet:key"
"""The digest of all inputs of the build. Together with the next three it says that packer ended well."""

LOG = "steadfleet:log"
STARTED_AT = "steadfleet:started-at"
ENDED_AT = "steadfleet:ended-at"

BUILT_FROM = "steadfleet:base"
SOURCE_IMAGE = "steadfleet:source-image"
"""On a copy: the image that was built."""

ORDER = "steadfleet:order"


def temporary(build: Build) -> dict[str, str]:
    """Tag what may be swept once the time is over: the same at every retry."""
    return {RUN: build.run, EXPIRES_AT: written(build.expires_at)}


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
