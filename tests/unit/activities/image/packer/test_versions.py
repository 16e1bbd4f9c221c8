"""A packer that is missing, old or strange is said with what to do."""

from pathlib import Path

import pytest

from steadfleet_activities.image.packer.output import Parser, outcome
from steadfleet_activities.image.packer.template import Template
from steadfleet_activities.image.packer.versions import Packer, check_version, find_packer, missing_plugin
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.order import Platform

RECORDINGS = Path(__file__).with_name("recordings")
OLD = Packer(path="/usr/bin/packer", version=(1, 6, 6))
MODERN = Packer(path="/opt/packer", version=(1, 11, 2), plugins="/opt/plugins")


def program(folder: Path, says: str, name: str = "packer") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n[ \"$*\" = version ] && echo '{says}'\n")
    path.chmod(0o755)
    return path


async def test_the_packer_on_the_path_is_found(tmp_path: Path) -> None:
    path = program(tmp_path, "Packer v1.6.6\n\nYour version of Packer is out of date!")

    found = await find_packer({"PATH": str(tmp_path)})

    assert found == Packer(path=str(path), version=(1, 6, 6))
    assert (found.said, found.environment) == ("1.6.6", {})


async def test_the_packer_that_is_named_comes_first(tmp_path: Path) -> None:
    program(tmp_path, "Packer v1.6.6")
    named = program(tmp_path, "Packer v1.11.2-dev", "modern")

    found = await find_packer(
        {"PATH": str(tmp_path), "STEADFLEET_PACKER": str(named), "PACKER_PLUGIN_PATH": "/opt/plugins"}
    )

    assert found == Packer(path=str(named), version=(1, 11, 2), plugins="/opt/plugins")
    assert found.environment == {"PACKER_PLUGIN_PATH": "/opt/plugins"}


async def test_a_missing_packer_is_said_with_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(
        RefusedError, match=r"packer is not on PATH: install it, with `apt-get install packer`"
    ):
        await find_packer({"PATH": str(tmp_path)})
    with pytest.raises(RefusedError, match=r"STEADFLEET_PACKER=/no/packer is no program"):
        await find_packer({"PATH": str(tmp_path), "STEADFLEET_PACKER": "/no/packer"})


async def test_an_old_packer_is_refused(tmp_path: Path) -> None:
    program(tmp_path, "Packer v1.5.4")

    with pytest.raises(RefusedError, match=r"it is packer 1.5.4, expected 1.6.6 or later"):
        await find_packer({"PATH": str(tmp_path)})


async def test_another_program_of_that_name_is_refused(tmp_path: Path) -> None:
    program(tmp_path, "cracklib")

    with pytest.raises(RefusedError, match=r"answers `version` with 'cracklib\\n', expected `Packer v1.6.6`"):
        await find_packer({"PATH": str(tmp_path)})


def test_a_template_that_needs_plugins_is_refused_where_there_are_none() -> None:
    template = Template(
        platform=Platform.AWS, builder="amazon-ebs", declared=frozenset(), plugins=("amazon",)
    )

    check_version(MODERN, template)
    check_version(OLD, template.model_copy(update={"plugins": ()}))
    with pytest.raises(RefusedError, match=r"required_plugins \(amazon\), which packer 1.6.6 cannot read"):
        check_version(OLD, template)


def test_a_missing_plugin_is_said_in_packers_words() -> None:
    failed = outcome(Parser().feed((RECORDINGS / "1.11.2" / "plugin-missing.txt").read_bytes()))

    assert missing_plugin(MODERN, failed) == (
        "packer 1.11.2 lacks a plugin: Unknown source type docker: install it with `packer plugins install` "
        "into the folder that the worker names by PACKER_PLUGIN_PATH=/opt/plugins"
    )
    assert missing_plugin(MODERN, outcome([])) is None
