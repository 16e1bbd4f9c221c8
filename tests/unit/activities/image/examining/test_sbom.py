"""The SBOM says what dpkg said, in the same bytes, as CycloneDX 1.6; other machines are refused."""

import json
import re

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from unit.activities.image.examining.workbench import (
    BUILT_AT,
    OS_RELEASE,
    STATUS,
    FakeMachine,
    build,
    debian,
    ran,
)

from steadfleet_activities.image.examining.machine import UnreachableError
from steadfleet_activities.image.examining.packages import Packages, read_packages
from steadfleet_activities.image.examining.sbom import Sbom, components_of, write_sbom
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.gate import Component
from steadfleet_core.model import digest_of

BUILD = build(digest_of(b""))


async def written(machine: FakeMachine | None = None) -> Sbom:
    return write_sbom(await read_packages(machine or debian()), BUILD, BUILT_AT)


async def test_the_packages_are_read_with_their_distribution() -> None:
    packages = await read_packages(debian())

    assert (packages.distribution, packages.release, packages.architecture) == ("debian", "12", "amd64")


async def test_it_is_valid_cyclonedx_1_6() -> None:
    sbom = await written()

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom.content.decode()) is None
    document = json.loads(sbom.content)
    assert document["specVersion"] == "1.6"
    assert sbom.components == len(document["components"]) == 6
    assert document["metadata"]["timestamp"].startswith("2026-11-21T12:00:00")


async def test_the_same_packages_are_the_same_bytes() -> None:
    paragraphs = STATUS.strip().split("\n\n")
    mixed = debian()
    mixed.answers["/var/lib/dpkg"] = ran("\n\n".join(reversed(paragraphs)) + "\n")

    assert await written() == await written(mixed)


async def test_another_run_has_another_serial_number() -> None:
    packages = await read_packages(debian())
    other = BUILD.model_copy(update={"run": "image-web-1.4.2-b2"})

    ours, theirs = (json.loads(write_sbom(packages, one, BUILT_AT).content) for one in (BUILD, other))

    assert ours["serialNumber"] != theirs["serialNumber"]


async def test_source_packages_are_what_advisories_are_held_against() -> None:
    sbom = await written()

    assert components_of(sbom.content) == [
        Component(name="dpkg", version="1.21.22", database="debian", release="12"),
        Component(name="nginx", version="1.22.1-9", database="debian", release="12"),
        Component(name="openssl", version="3.0.11-1~deb12u2", database="debian", release="12"),
    ]


async def test_what_is_half_installed_is_on_the_disk_and_listed_and_what_was_removed_is_not() -> None:
    names = {component["name"] for component in json.loads((await written()).content)["components"]}

    assert "nginx" in names
    assert "removed" not in names


async def test_a_machine_put_together_without_dpkg_itself_is_listed() -> None:
    status = re.sub(r"^Status: .*\n", "", STATUS.split("\n\n", 1)[1].split("\n\n")[0], flags=re.MULTILINE)
    machine = FakeMachine(answers={"/var/lib/dpkg": ran("\n" + status + "\n"), "os-release": ran(OS_RELEASE)})

    sbom = await written(machine)

    assert [component.name for component in components_of(sbom.content)] == ["openssl"]


async def test_a_machine_that_does_not_say_what_it_is_is_listed() -> None:
    machine = FakeMachine(answers={"/var/lib/dpkg": ran(STATUS)})

    assert {one.database for one in components_of((await written(machine)).content)} == {"linux"}


@pytest.mark.parametrize(("status", "stdout"), [(44, ""), (0, ""), (0, "\n\n")])
async def test_a_machine_without_dpkg_is_refused(status: int, stdout: str) -> None:
    machine = FakeMachine(answers={"/var/lib/dpkg": ran(stdout, status=status)})

    with pytest.raises(RefusedError, match="no package database of a kind that is read: dpkg"):
        await read_packages(machine)


async def test_a_database_that_may_not_be_read_is_refused() -> None:
    machine = FakeMachine(answers={"/var/lib/dpkg": ran(status=1, stderr="cat: status: Permission denied")})

    with pytest.raises(RefusedError, match="cannot be read: cat: status: Permission denied; expected"):
        await read_packages(machine)


async def test_half_a_database_is_no_list() -> None:
    machine = debian()
    machine.answers["/var/lib/dpkg"] = ran(STATUS, most=100)

    with pytest.raises(RefusedError, match=r"has \d+ bytes: expected at most"):
        await read_packages(machine)


async def test_a_database_that_came_too_slowly_may_come_the_next_time() -> None:
    machine = debian()
    machine.answers["/var/lib/dpkg"] = lambda limit: ran(STATUS, status=None)

    with pytest.raises(UnreachableError):
        await read_packages(machine)


@pytest.mark.parametrize(
    "status",
    [
        "Package: x\nStatus: install ok nonsense\nVersion: 1\nArchitecture: all\n",
        "Package: x\nStatus: install ok installed\nArchitecture: all\n",
        "Package: x\nVersion: 1\n\nArchitecture: all\n",
    ],
)
async def test_a_database_that_makes_no_sense_is_refused(status: str) -> None:
    machine = debian()
    machine.answers["/var/lib/dpkg"] = ran(status)

    with pytest.raises(RefusedError, match="cannot be understood: expected a package, its version and"):
        await read_packages(machine)


@pytest.mark.parametrize(
    "line",
    [
        "Maintainer: Some <https://example.org/project/>",
        "Maintainer: Some <some at example.org>",
        "Homepage: not an address",
        "Homepage: http://example.org/{x} and more",
        "Homepage: http://[broken",
    ],
)
def test_what_packagers_write_otherwise_than_they_should_is_left_out(line: str) -> None:
    status = f"Package: x\nVersion: 1\nArchitecture: amd64\n{line}\n"

    sbom = write_sbom(Packages(status, "debian", "12", "amd64"), BUILD, BUILT_AT)

    assert [one.name for one in components_of(sbom.content)] == ["x"]


def test_little_is_enough_to_be_listed() -> None:
    packages = Packages("Package: x\nVersion: 1\n", distribution="debian", release="12", architecture="")

    sbom = write_sbom(packages, BUILD, BUILT_AT)

    assert [one.name for one in components_of(sbom.content)] == ["x"]
