"""Find packer, and say of a missing or strange one what to do."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from steadfleet_activities.image.packer.output import Outcome
from steadfleet_activities.image.packer.template import Template
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Model

PATH_VARIABLE = "STEADFLEET_PACKER"
PLUGIN_VARIABLE = "PACKER_PLUGIN_PATH"
OLDEST = (1, 6, 6)
"""What is tested here; 1.6.5 and before were never tried."""

_FIRST_WITH_PLUGINS = (1, 7, 0)
_ANSWER_TIME = 30.0
_SAID = re.compile(r"^Packer v(\d{1,4})\.(\d{1,4})\.(\d{1,4})", re.MULTILINE)
_HOW_TO_INSTALL = (
    "install it, with `apt-get install packer` or from https://developer.hashicorp.com/packer/install, "
    f"or set {PATH_VARIABLE} to its path"
)
_PLUGIN_WORDS = re.compile(
    r"likely part of a\s+plugin that is\s+not installed|Missing plugins|Unknown (source|builder) type",
    re.IGNORECASE,
)


class Packer(Model):
    """A packer that answered; `plugins` is the folder with its plugins, if one was named."""

    path: str
    version: tuple[int, int, int]
    plugins: str | None = None

    @property
    def said(self) -> str:
        return ".".join(map(str, self.version))

    @property
    def environment(self) -> dict[str, str]:
        """What a run of it needs beside credentials."""
        return {PLUGIN_VARIABLE: self.plugins} if self.plugins else {}


async def find_packer(env: Mapping[str, str] | None = None) -> Packer:
    """Find the packer that STEADFLEET_PACKER or else PATH names; raises `RefusedError`."""
    given = os.environ if env is None else env
    named = given.get(PATH_VARIABLE) or "packer"
    path = _found(named, given.get("PATH", os.defpath))
    version = _understood(path, await _answer(path))
    return Packer(path=path, version=version, plugins=given.get(PLUGIN_VARIABLE))


def check_version(packer: Packer, template: Template) -> None:
    """Refuse a template that this packer cannot read; raises `RefusedError`."""
    if template.plugins and packer.version < _FIRST_WITH_PLUGINS:
        raise RefusedError(
            f"the template has required_plugins ({', '.join(template.plugins)}), which packer {packer.said} "
            "cannot read, for its builders are built in: remove the block, or use packer 1.7 or later"
        )


def missing_plugin(packer: Packer, outcome: Outcome) -> str | None:
    """Say what to do if packer failed for want of a plugin, in its own words and ours."""
    words = next((error for error in outcome.errors if _PLUGIN_WORDS.search(error)), None)
    if words is None:
        return None
    where = (
        f"{PLUGIN_VARIABLE}={packer.plugins}" if packer.plugins else f"{PLUGIN_VARIABLE}, which is not set"
    )
    first = words.partition("\n")[0].removeprefix("Error: ")
    return (
        f"packer {packer.said} lacks a plugin: {first}: install it with `packer plugins install` into the "
        f"folder that the worker names by {where}"
    )


def _found(named: str, path: str) -> str:
    found = shutil.which(named, path=path)
    if found is None:
        where = f"{PATH_VARIABLE}={named} is no program" if named != "packer" else "packer is not on PATH"
        raise RefusedError(f"{where}: {_HOW_TO_INSTALL}")
    return str(Path(found).absolute())


async def _answer(path: str) -> str:
    # Its home must be one: packer 1.6 says nothing at all where it can make no folder.
    with tempfile.TemporaryDirectory(prefix="packer-version-") as home:
        process = await asyncio.create_subprocess_exec(
            path,
            "version",
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "CHECKPOINT_DISABLE": "1"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_ANSWER_TIME):
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return said.decode("utf-8", "replace")


def _understood(path: str, said: str) -> tuple[int, int, int]:
    found = _SAID.search(said)
    if found is None:
        raise RefusedError(
            f"{path}: it answers `version` with {said[:200]!r}, expected `Packer v1.6.6` or the like: "
            f"{_HOW_TO_INSTALL}"
        )
    version = (int(found[1]), int(found[2]), int(found[3]))
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise RefusedError(
            f"{path}: it is packer {found[0].split('v')[1]}, expected {oldest} or later: {_HOW_TO_INSTALL}"
        )
    return version
