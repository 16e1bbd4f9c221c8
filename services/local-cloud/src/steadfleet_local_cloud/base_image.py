"""
The image that Docker machines begin with: a small Debian with an SSH server and Python.

Made by mmdebstrap from the Debian mirror that this system is configured for, so that no mirror
is named here; kept as a tarball, so that it is made once.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from python_on_whales.exceptions import DockerException

from steadfleet_local_cloud.apt_sources import Source, read_sources
from steadfleet_local_cloud.engine import Engine, sentence
from steadfleet_local_cloud.errors import BaseImageError

_log = logging.getLogger(__name__)
BASE_LABEL = "local-cloud.base"
_REPOSITORY = "local-cloud-base"
_RECIPE = "1"  # a change of what is below makes another image
_PACKAGES = ("ca-certificates", "curl", "openssh-server", "python3")
_UNWANTED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
_CUSTOMIZE = (
    # two machines must not share their host keys: each makes its own when it first boots
    'rm -f "$1"/etc/ssh/ssh_host_*',
    # of the system that made it
    'rm -f "$1"/etc/resolv.conf "$1"/etc/hostname',
    # nothing here runs as an init that could start services
    'printf "#!/bin/sh\\nexit 101\\n" > "$1"/usr/sbin/policy-rc.d && chmod 755 "$1"/usr/sbin/policy-rc.d',
)
_EPOCH = "1735689600"  # 2025-01-01: any fixed time makes the tarball reproducible
_LEAST_SIZE = 50 << 20  # bytes; docker would import an empty tarball without a word
_MAKE_TIME = 1800.0


@dataclass(frozen=True)
class BaseImage:
    """What a base image is made of, and so what it is called."""

    system: str  # debian
    version: str  # 12
    suite: str  # bookworm

    @classmethod
    def of_this_system(cls) -> BaseImage:
        facts = _os_release(Path("/etc/os-release").read_text())
        if "VERSION_CODENAME" not in facts:
            raise BaseImageError(
                "/etc/os-release names no release: a base image can be made on Debian or Ubuntu"
            )
        return cls(facts["ID"], facts.get("VERSION_ID", ""), facts["VERSION_CODENAME"])

    @property
    def name(self) -> str:
        """The name that its image has in every region."""
        return "-".join(part for part in (self.system, self.version, "base") if part)

    @property
    def key(self) -> str:
        recipe = [_RECIPE, self.suite, _EPOCH, *_PACKAGES, *_UNWANTED, *_CUSTOMIZE]
        return hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:12]

    @property
    def tag(self) -> str:
        return f"{_REPOSITORY}:{self.suite}-{self.key}"

    @property
    def tarball(self) -> Path:
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        return Path(cache).expanduser() / "steadfleet" / f"{_REPOSITORY}-{self.suite}-{self.key}.tar"


def ensure_base_image(engine: Engine, *, again: bool = False) -> BaseImage:
    """Have the base image in the engine: imported from the tarball, which is made if it is not there."""
    base = BaseImage.of_this_system()
    before = engine.call("image", "inspect", "--format={{.Id}}", base.tag).stdout.strip()
    if before and not again:
        return base
    if again or not _complete(base.tarball):
        _make(base)
    _import(engine, base)
    if before:
        engine.call("image", "rm", before)  # unless somebody's machines still stand on it
    return base


def _import(engine: Engine, base: BaseImage) -> None:
    _log.info("importing the base image", extra={"fields": {"image": base.tag}})
    changes = [f"LABEL {BASE_LABEL}={base.key}", 'CMD ["/bin/sh"]']
    try:
        engine.docker.import_(base.tarball, base.tag, changes=changes)
    except DockerException as error:
        raise BaseImageError(f"{base.tarball} could not be imported: {sentence(error)}") from error


def _make(base: BaseImage) -> None:
    program = shutil.which("mmdebstrap")
    if program is None:
        raise BaseImageError(
            "Docker machines need a base image, which mmdebstrap makes, and it is not installed: "
            "apt-get install mmdebstrap"
        )
    sources = _sources(base)
    base.tarball.parent.mkdir(parents=True, exist_ok=True)
    _log.info("making the base image: once, a minute or two", extra={"fields": {"into": str(base.tarball)}})
    with tempfile.TemporaryDirectory(dir=base.tarball.parent, prefix=f".{_REPOSITORY}-") as folder:
        made = Path(folder) / "base.tar"
        _run([program, *_options(), base.suite, str(made), *(source.line for source in sources)])
        if not _complete(made):
            raise BaseImageError(
                f"mmdebstrap said that all went well, but {made.name} is too small to be a system: "
                "try again with `local-cloud base-image --again`"
            )
        made.replace(base.tarball)  # at once, or not at all


def _options() -> list[str]:
    return [
        "--variant=apt",
        f"--include={','.join(_PACKAGES)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _UNWANTED),
        *(f"--customize-hook={hook}" for hook in _CUSTOMIZE),
    ]


def _run(command: list[str]) -> None:
    environment = os.environ | {"SOURCE_DATE_EPOCH": _EPOCH, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(  # noqa: S603 - the user's own mmdebstrap
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_MAKE_TIME,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise BaseImageError(f"mmdebstrap did not end in {_MAKE_TIME / 60:.0f} minutes") from late
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))]
        raise BaseImageError(
            "mmdebstrap could not make the base image: " + ("; ".join(errors[-3:]) or done.stderr[-300:])
        )


def _sources(base: BaseImage) -> list[Source]:
    """Read this system's own mirrors of its own release, without what else it may install from."""
    found = read_sources(Path("/etc/apt"))
    wanted = [source for source in found if source.serves(base.suite)]
    if not any(source.suite == base.suite for source in wanted):
        raise BaseImageError(
            f"no source in /etc/apt serves {base.suite} main, "
            "and the base image is made from this system's own mirror"
        )
    return wanted


def _complete(tarball: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return tarball.stat().st_size >= _LEAST_SIZE
    return False


def _os_release(content: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in content.splitlines() if "=" in line and not line.startswith("#"))
    return {name: value.strip().strip("\"'") for name, value in pairs}
