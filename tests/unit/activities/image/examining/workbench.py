"""Machines, orders and a store that are not there, to try images with."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from steadfleet_activities.image.examining.machine import (
    MOST_OUTPUT,
    Captured,
    FreshMachines,
    Machine,
    NotBootedError,
    Ran,
    TestHost,
)
from steadfleet_activities.image.examining.processes import run_process
from steadfleet_activities.image.platforms import Say
from steadfleet_activities.image.store import ImageStore, Kept
from steadfleet_core.image.golden import TestSpec
from steadfleet_core.image.order import Base, Build, BuiltImage, Platform
from steadfleet_core.image.sources import pack
from steadfleet_core.model import Digest, digest_of
from steadfleet_ports.image import ImageExamination

BUILT_AT = datetime(2026, 11, 21, 12, tzinfo=UTC)

STATUS = """\
Package: dpkg
Status: install ok installed
Priority: required
Maintainer: Dpkg Developers <debian-dpkg@lists.debian.org>
Architecture: amd64
Version: 1.21.22
Description: Debian package management system

Package: libssl3
Status: install ok installed
Maintainer: Debian OpenSSL Team <pkg-openssl-devel@alioth-lists.debian.net>
Architecture: amd64
Source: openssl
Version: 3.0.11-1~deb12u2
Depends: dpkg
Description: Secure Sockets Layer toolkit

Package: nginx
Status: install ok half-configured
Maintainer: Debian Nginx Maintainers <nginx@example.org>
Architecture: amd64
Version: 1.22.1-9+b1
Source: nginx (1.22.1-9)
Description: web server

Package: removed
Status: deinstall ok config-files
Maintainer: Nobody <nobody@example.org>
Architecture: all
Version: 1
Description: only its settings are left
"""
OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'


class MemoryStore(ImageStore):
    """Objects by digest, in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Kept, Digest], bytes] = {}

    def put(self, kind: Kept, content: bytes) -> Digest:
        digest = digest_of(content)
        self.kept[kind, digest] = content
        return digest

    def get(self, kind: Kept, digest: Digest) -> bytes:
        return self.kept[kind, digest]


def ran(stdout: str = "", stderr: str = "", status: int | None = 0, most: int = MOST_OUTPUT) -> Ran:
    out, err = Captured(most), Captured(most)
    out.feed(stdout.encode())
    err.feed(stderr.encode())
    return Ran(status, out, err)


@dataclass
class FakeMachine(Machine):
    """Answers scripts by the first part of them that it knows; anything else ends well and says nothing."""

    id: str = "i-fake"
    address: str = "127.0.0.1"
    answers: dict[str, Ran | Exception | Callable[[timedelta], Ran]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    limits: list[timedelta] = field(default_factory=list)

    async def run(self, script: str, limit: timedelta, most: int = MOST_OUTPUT) -> Ran:
        self.asked.append(script)
        self.limits.append(limit)
        answer = next((said for part, said in self.answers.items() if part in script), ran())
        if isinstance(answer, Exception):
            raise answer
        return answer(limit) if callable(answer) else answer

    def test_host(self, folder: Path) -> TestHost:
        return TestHost(("--hosts=local://",))


class LocalMachine(FakeMachine):
    """This very machine: scripts run by its shell."""

    async def run(self, script: str, limit: timedelta, most: int = MOST_OUTPUT) -> Ran:
        return await run_process(["/bin/sh", "-c", script], limit, most=most)


def debian(**answers: Any) -> FakeMachine:
    known: dict[str, Any] = {"/var/lib/dpkg": ran(STATUS), "os-release": ran(OS_RELEASE)}
    return FakeMachine(answers={**answers, **known})


@dataclass
class FakeMachines(FreshMachines):
    """Boots the one machine that it has, or fails to, and tells what was done."""

    machine: Machine | None = None
    done: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def booted(self, examination: ImageExamination, say: Say) -> AsyncIterator[Machine]:
        self.done.append("boot")
        try:
            if self.machine is None:
                raise NotBootedError("i-fake did not let root in by SSH within 5m: refused")
            yield self.machine
        finally:
            self.done.append("end")

    async def discard(self, examination: ImageExamination, say: Say) -> None:
        self.done.append("discard")


def build(sources: Digest, platform: Platform = Platform.AWS, run: str = "image-web-1.4.2-a1") -> Build:
    return Build(
        family="web",
        version="1.4.2",
        run=run,
        platform=platform,
        region="eu-west-1",
        sources=sources,
        template="web.pkr.hcl",
        base=Base(id="ami-0123456789abcdef0"),
        key=digest_of(b"key"),
        packer_version="1.6.6",
        expires_at=BUILT_AT + timedelta(hours=8),
    )


def packed(folder: Path, **files: str) -> bytes:
    """Pack files, named as Python names: `tests__x_py` is tests/x.py."""
    names = []
    for name, text in {"web_pkr_hcl": "", **files}.items():
        path = folder / name.replace("__", "/").replace("_py", ".py").replace("_json", ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        names.append(path.relative_to(folder).as_posix())
    return pack(folder, names)


def order(
    sources: Digest, *checks: dict[str, Any], sbom: bool = False, image: str = "ami-1", **other: Any
) -> ImageExamination:
    """Order an examination with these checks; other arguments are of the spec, or of the build."""
    of_build = {name: other.pop(name) for name in ("platform", "run") if name in other}
    spec = TestSpec.model_validate(
        {"checks": [{"name": f"check {n}", **c} for n, c in enumerate(checks)], **other}
    )
    built = BuiltImage(id=image, started_at=BUILT_AT - timedelta(minutes=5), ended_at=BUILT_AT)
    return ImageExamination(build=build(sources, **of_build), image=built, spec=spec, sbom=sbom)
