"""What builds with packer's docker builder stand on: the stack's processes, an engine, registries."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import pytest

from fakes.registry import FakeRegistry, Manifest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
COMMANDS = Path(sys.executable).parent
PARTS = ("engine", "cloud", "builder", "signer", "janitor")
SOON = 90
"""Seconds after which a test no longer waits for a step of a build."""
INDEX = "application/vnd.oci.image.index.v1+json"
_TOOLS = ("sh", "cat", "chmod", "chown", "cp", "echo", "httpd", "mkdir", "rm", "sleep", "stat", "tar")
_STATUS = """\
Package: zlib1g
Status: install ok installed
Architecture: amd64
Source: zlib
Version: 1:1.2.13.dfsg-1
Maintainer: Somebody <somebody@example.org>
Description: compression
"""
_FILES = {
    # packer gives what it uploads to root, and tries for five minutes if there is no such user.
    "etc/passwd": "root:x:0:0::/:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
    "var/lib/dpkg/status": _STATUS,
}


def missing(what: str) -> NoReturn:
    """Skip for what this machine lacks; in CI nothing may be lacking."""
    if os.environ.get("CI"):
        pytest.fail(f"missing: {what}")
    pytest.skip(f"needs {what}")


def docker(*argv: str, stdin: bytes | None = None) -> str:
    done = subprocess.run(["docker", *argv], input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


def _described(image: str) -> str:
    """Give an image's labels and names; nothing if it has just gone, for others use the engine too."""
    form = "{{json .Config.Labels}} {{.RepoTags}}"
    done = subprocess.run(
        ["docker", "inspect", "--format", form, image], capture_output=True, text=True, check=False
    )
    return done.stdout


def require_programs() -> None:
    for program, package in {"docker": "a Docker client", "packer": "packer"}.items():
        if shutil.which(program) is None:
            missing(package)
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        missing("a Docker engine that answers")


@contextmanager
def small_base() -> Iterator[str]:
    """Have a base image of two megabytes: busybox, and what dpkg would say of one package."""
    busybox = Path("/bin/busybox")
    if not busybox.exists() or b"/ld-linux" in busybox.read_bytes():
        missing("a static busybox: apt-get install busybox-static")
    name = f"steadfleet-test-base:{uuid4().hex}"
    made = docker("import", "-", name, stdin=_root(busybox))
    try:
        yield name
    finally:
        docker("rmi", "--force", made)


def _root(busybox: Path) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as root:
        root.add(busybox, "bin/busybox")
        for tool in _TOOLS:
            link = tarfile.TarInfo(f"bin/{tool}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            root.addfile(link)
        for name, text in _FILES.items():
            file = tarfile.TarInfo(name)
            file.size = len(text)
            root.addfile(file, io.BytesIO(text.encode()))
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        root.addfile(folder)
    return content.getvalue()


@dataclass
class Stack:
    """The stack as `steadfleet up` starts it, and the environment of commands that use it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator["Stack"]:
        place = ("--run-dir", str(self.folder))
        only = [word for part in PARTS for word in ("--only", part)]
        foreign = ("TEMPORAL_", "AWS_", "STEADFLEET_")
        env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        env |= {"STEADFLEET_HEARTBEAT_TIMEOUT": "4s"}  # that is how soon an abort reaches packer
        try:
            told = _run(("up", "--free-ports", "--output", "json", *only, *place), env)
            assert told.returncode == 0, told.stderr
            self.environment = {**env, **json.loads(told.stdout)["environment"]}
            yield self
        finally:
            _run(("down", *place), env)

    def image(self, *words: str, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
        return _run(("image", *words), self.environment, folder)


def _run(
    words: tuple[str, ...], env: dict[str, str], folder: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    command = [str(COMMANDS / "steadfleet"), *words]
    return subprocess.run(
        command, env=env, cwd=folder, capture_output=True, text=True, check=False, timeout=280
    )


@dataclass
class Family:
    """A contract of a family that is one test's alone, its sources, and what there is of it."""

    stack: Stack
    folder: Path
    name: str = field(default_factory=lambda: f"test-{uuid4().hex[:12]}")

    @classmethod
    def of_the_example(cls, stack: Stack, folder: Path, base: str, *registries: str) -> "Family":
        """Copy the example; only its base, its registries and its family are others."""
        family = cls(stack, folder)
        for part in ("image", "web/good-2.0"):
            shutil.copytree(EXAMPLES / part, folder / part)
        text = (EXAMPLES / "web-container.yaml").read_text()
        there = '      - {name: "127.0.0.1:5000/golden"}\n'
        assert there in text
        places = "".join(f'      - {{name: "{one}/golden"}}\n' for one in registries)
        family.write(text.replace(there, places))
        family.replace("debian-python:12", base)
        family.replace("name: web-container", f"name: {family.name}")
        return family

    @classmethod
    def of_busybox(cls, stack: Stack, folder: Path, base: str, *registries: str) -> "Family":
        """Take the example, with a program of busybox's own: its images have two megabytes."""
        family = cls.of_the_example(stack, folder, base, *registries)
        family.replace(family.line_with("python is new enough"), "")
        release = folder / "web/good-2.0"
        shutil.rmtree(release)
        release.mkdir()
        (release / "run").write_text("#!/bin/sh\nexec httpd -f -p 8080 -h /opt/machine\n")
        (release / "healthz").write_text("well\n")
        return family

    # -- the contract

    @property
    def text(self) -> str:
        return (self.folder / "image.yaml").read_text()

    def write(self, text: str) -> None:
        (self.folder / "image.yaml").write_text(text)

    def replace(self, there: str, here: str) -> None:
        assert there in self.text, f"the example does not say {there!r} any more"
        self.write(self.text.replace(there, here))

    def line_with(self, words: str) -> str:
        [line] = [line for line in self.text.splitlines(keepends=True) if words in line]
        return line

    # -- what is done with it

    def image(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return self.stack.image(*words, folder=self.folder)

    def status(self) -> dict[str, Any]:
        shown = self.image("show", self.name, "2.0.0", "--output", "json")
        assert shown.returncode == 0, shown.stderr
        document: dict[str, Any] = json.loads(shown.stdout)
        return document

    def until(self, holds: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        deadline = time.monotonic() + SOON
        while not holds(document := self.status()):
            assert time.monotonic() < deadline, f"not within {SOON} s: {what}; it is {document}"
            assert document["status"]["state"] not in {"failed", "aborted"}, document["status"]["reason"]
        return document

    # -- what there is of it

    def in_engine(self) -> list[str]:
        """List containers and images of every run of it, and by its name."""
        labels = docker("ps", "--all", "--format", "{{.ID}} {{.Labels}}").splitlines()
        found = [line for line in labels if f"image-{self.name}-" in line]
        for image in sorted(set(docker("images", "--all", "--quiet", "--no-trunc").splitlines())):
            known = _described(image)
            found += [f"{image} {known}"] if self.name in known else []
        return found

    def at(self, registry: FakeRegistry) -> dict[str, Manifest]:
        """Give what a registry still knows of it; an index that no tag names is nobody's any more."""
        repository = registry.repositories.get(f"golden/{self.name}")
        if repository is None:
            return {}
        tagged = set(repository.tags.values())
        return {
            digest: manifest
            for digest, manifest in repository.manifests.items()
            if digest in tagged or manifest.media_type != INDEX
        }

    def remove(self) -> None:
        """Take away what a test that failed left."""
        for found in self.in_engine():
            kind = ("rmi", "--force") if found.startswith("sha256:") else ("rm", "--force")
            docker(*kind, found.split()[0])
