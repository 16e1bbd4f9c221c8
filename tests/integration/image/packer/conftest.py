"""A real packer, and what it builds with: a Docker engine, and machines of the local cloud."""

import os
import subprocess
import tarfile
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from pathlib import Path
from shutil import which
from uuid import uuid4

import pytest
from integration.image.packer.runs import Stage, stage

# Their fixtures, under the same names.
from integration.local_cloud.docker.conftest import aws, base, cloud, engine, missing

from steadfleet_local_cloud.base_image import ensure_base_image
from steadfleet_local_cloud.engine import Engine

__all__ = ["aws", "base", "cloud", "engine"]

_BUSYBOX = Path("/bin/busybox")
_TOOLS = ("sh", "cat", "chmod", "chown", "cp", "echo", "id", "mkdir", "rm", "sleep", "tar", "touch")


@pytest.fixture
async def run() -> AsyncIterator[Stage]:
    with stage() as prepared:
        yield prepared


@pytest.fixture(scope="session")
def packer() -> str:
    """Give the packer of this system, which needs no plugins."""
    program = which("packer")
    if program is None:
        missing("packer: apt-get install packer")
    return str(program)


@pytest.fixture(scope="session")
def modern_packer() -> dict[str, str]:
    """Give the environment that names the packer that `.ci/modern-packer` built."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "steadfleet" / "modern-packer"
    store = cache / "1.11.2"
    if not (store / ".complete").exists():
        missing("a modern packer in the cache: run .ci/modern-packer")
    return {"STEADFLEET_PACKER": str(store / "packer"), "PACKER_PLUGIN_PATH": str(store / "plugins")}


@pytest.fixture
def busybox() -> Iterator[str]:
    """Give a base image of two megabytes, made here, and remove it."""
    if not _BUSYBOX.exists() or b"dynamic" in _what_it_is(_BUSYBOX):
        missing("a static busybox: apt-get install busybox-static")
    if (
        which("docker") is None
        or subprocess.run(["docker", "version"], capture_output=True, check=False).returncode
    ):
        missing("a Docker engine")
    name = f"steadfleet-test-base:{uuid4().hex}"
    made = docker("import", "-", name, stdin=_root_of(_BUSYBOX))
    yield name
    docker("rmi", "--force", made)


@pytest.fixture(scope="session")
def base_container(engine: Engine) -> str:
    """Give the image of the local cloud's machines: a Debian with Python."""
    return ensure_base_image(engine).tag


def docker(*argv: str, stdin: bytes | None = None) -> str:
    done = subprocess.run(["docker", *argv], input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


def _what_it_is(program: Path) -> bytes:
    # A static program names no loader.
    return b"dynamic" if b"/ld-linux" in program.read_bytes() else b"static"


def _root_of(busybox: Path) -> bytes:
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as root:
        root.add(busybox, "bin/busybox")
        for tool in _TOOLS:
            link = tarfile.TarInfo(f"bin/{tool}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            root.addfile(link)
        # packer gives what it uploads to root, and tries for five minutes if there is no such user.
        for name, text in {"etc/passwd": b"root:x:0:0::/:/bin/sh\n", "etc/group": b"root:x:0:\n"}.items():
            file = tarfile.TarInfo(name)
            file.size = len(text)
            root.addfile(file, BytesIO(text))
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        root.addfile(folder)
    return content.getvalue()
