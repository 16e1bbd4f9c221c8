"""The names of images in an engine. They say what is whole and what is released, for labels cannot."""

import re

OURS = "steadfleet/"
WHOLE = re.compile(r"built-[0-9A-Za-z]+-(?P<began>[0-9]+)-(?P<ended>[0-9]+)-(?P<log>[0-9a-f]{64}|none)")
"""The tag of an image that packer ended well, and that was verified."""


def name_of(family: str, version: str) -> str:
    return f"{OURS}{family}:{version}"


def released_as(name: str) -> tuple[str, str] | None:
    """Return family and version, if this is the name of a released image."""
    family, _, version = name.removeprefix(OURS).rpartition(":")
    return (family, version) if name.startswith(OURS) and not WHOLE.fullmatch(version) else None
