"""Read what dpkg knows of a fresh machine, by the machine's own shell."""

import re
import shlex
from dataclasses import dataclass
from datetime import timedelta

from steadfleet_activities.image.examining.machine import Machine, Ran, UnreachableError
from steadfleet_core.errors import RefusedError

_READING_TIME = timedelta(minutes=2)
_MOST_STATUS = 64 * 1024 * 1024
_NO_DPKG = 44
_MOST_SHOWN = 100

_OS_RELEASE = "cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release 2>/dev/null || true"
# `status.d` has a file for each package of images that are put together without dpkg itself.
_STATUS = f"""set -e
cd /var/lib/dpkg 2>/dev/null || exit {_NO_DPKG}
[ -s status ] || [ -d status.d ] || exit {_NO_DPKG}
[ ! -f status ] || cat status
[ ! -d status.d ] || for one in status.d/*; do
  case $one in *.md5sums) continue ;; esac
  [ ! -f "$one" ] || {{ echo; cat "$one"; }}
done
"""
_PACKAGE = re.compile(r"^Package: ", re.MULTILINE)
_STATE = re.compile(r"^(Status: \S+ \S+) (\S+)$", re.MULTILINE)
_VERSION = re.compile(r"^Version: \S+$", re.MULTILINE)
_NOT_THERE = frozenset({"not-installed", "config-files"})
# All that is on the disk is listed, also what dpkg has not finished with: its files are there.
_THERE = frozenset(
    {
        "installed",
        "half-installed",
        "unpacked",
        "half-configured",
        "triggers-awaited",
        "triggers-pending",
    }
)


@dataclass(frozen=True)
class Packages:
    """What dpkg wrote, and of what distribution and architecture; "" where the machine does not say."""

    status: str
    distribution: str
    release: str
    architecture: str


async def read_packages(machine: Machine) -> Packages:
    """
    Raise `RefusedError` for a machine without dpkg, or one whose database cannot be read.

    Raises `UnreachableError` when the machine could not be asked: the next try asks another one.
    """
    ran = await machine.run(_STATUS, _READING_TIME, _MOST_STATUS)
    status = str(ran.stdout)
    if ran.exit_status == _NO_DPKG or (ran.exit_status == 0 and not _PACKAGE.search(status)):
        raise RefusedError(
            f"the SBOM of {machine.id}: no package database of a kind that is read: dpkg; write sbom: false "
            "in spec.gates, and let another tool list what this image holds"
        )
    _complete(machine, ran)
    about = _assignments(str((await machine.run(_OS_RELEASE, _READING_TIME)).stdout))
    return Packages(
        status=_as_installed(machine, status),
        distribution=about.get("ID", "").lower(),
        release=about.get("VERSION_ID", ""),
        architecture=_architecture(status),
    )


def _complete(machine: Machine, ran: Ran) -> None:
    if ran.exit_status is None:
        raise UnreachableError(f"{machine.id} did not give its package database within {_READING_TIME}")
    if ran.exit_status:
        raise RefusedError(
            f"the SBOM of {machine.id}: its package database cannot be read: {str(ran.stderr).strip()}; "
            "expected /var/lib/dpkg/status to be readable by spec.tests.user"
        )
    if ran.stdout.cut:
        raise RefusedError(
            f"the SBOM of {machine.id}: its package database has {ran.stdout.total} bytes: expected at most "
            f"{_MOST_STATUS}"
        )


def _as_installed(machine: Machine, status: str) -> str:
    """Call installed what is there; refuse a package of which it cannot be told, or whose version cannot."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", status.strip()):
        state = _STATE.search(paragraph)
        word = state[2] if state else "installed"  # those of `status.d` have no state
        if word in _NOT_THERE:
            continue
        if word not in _THERE or not _PACKAGE.search(paragraph) or not _VERSION.search(paragraph):
            raise RefusedError(
                f"the SBOM of {machine.id}: its package database cannot be understood: expected a package, "
                f"its version and a state that dpkg knows, got {paragraph[:_MOST_SHOWN]!r}"
            )
        paragraphs.append(_STATE.sub(r"\1 installed", paragraph))
    return "\n\n".join(paragraphs) + "\n"


def _assignments(text: str) -> dict[str, str]:
    """Read os-release(5): shell assignments of single words."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            try:
                found[name.strip()] = "".join(shlex.split(value))
            except ValueError:  # an open quote
                continue
    return found


def _architecture(status: str) -> str:
    """Return dpkg's own architecture, or else that of the first package that has one."""
    own = re.search(r"^Package: dpkg\n(?:(?!\n\n).)*?^Architecture: (\S+)", status, re.MULTILINE | re.DOTALL)
    if own:
        return own[1]
    every = (found for found in re.findall(r"^Architecture: (\S+)", status, re.MULTILINE) if found != "all")
    return next(every, "")
