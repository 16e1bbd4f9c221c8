"""Compare versions as dpkg does (deb-version(7)): epoch, then upstream version, then revision."""

import re
from functools import cmp_to_key
from itertools import zip_longest

_VERSION = re.compile(r"([0-9]+:)?(?(1)[A-Za-z0-9.+:~-]+|[A-Za-z0-9.+~-]+)")
_RUNS = re.compile(r"([^0-9]*)([0-9]*)")

_Run = tuple[tuple[int, ...], tuple[int, str]]
_NOTHING: _Run = ((0,), (0, ""))


def readable(version: str) -> bool:
    return _VERSION.fullmatch(version) is not None


def compare(left: str, right: str) -> int:
    """Return less than, equal to or more than 0; no digits are too many."""
    for ours, theirs in zip(_parts(left), _parts(right), strict=True):
        # Where one has ended, nothing is compared: it sorts after a tilde and before all else.
        for one, other in zip_longest(_runs(ours), _runs(theirs), fillvalue=_NOTHING):
            if one != other:
                return 1 if one > other else -1
    return 0


order_of = cmp_to_key(compare)
"""What sorts as the version does."""


def _parts(version: str) -> tuple[str, str, str]:
    epoch, colon, rest = version.partition(":")
    if not (colon and epoch.isdigit()):
        epoch, rest = "", version
    upstream, dash, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if dash else (epoch, rest, "")


def _runs(part: str) -> list[_Run]:
    return [(_letters(letters), _number(digits)) for letters, digits in _RUNS.findall(part)]


def _letters(run: str) -> tuple[int, ...]:
    return (*(-1 if sign == "~" else ord(sign) + 256 * (not sign.isalpha()) for sign in run), 0)


def _number(digits: str) -> tuple[int, str]:
    significant = digits.lstrip("0")
    return len(significant), significant
