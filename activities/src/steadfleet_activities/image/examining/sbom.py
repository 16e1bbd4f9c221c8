"""The SBOM of a machine: CycloneDX 1.6, the same bytes for the same packages."""

import json
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from debsbom.generate import Debsbom
from debsbom.sbom import SBOMType
from packageurl import PackageURL

from steadfleet_activities.image.examining.packages import Packages
from steadfleet_activities.image.scratch import scratch
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.gate import Component
from steadfleet_core.image.order import Build

_NAMELESS = "linux"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_ANY_ARCHITECTURE = "all"

# It tells of every source package that it knows no maintainer: none has one in dpkg's database.
logging.getLogger("debsbom").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Sbom:
    content: bytes
    components: int


def write_sbom(packages: Packages, build: Build, at: datetime) -> Sbom:
    """
    List the packages; `at` is when they were as they are.

    Raises `RefusedError` when dpkg's database does not say what it must, or what came out is not
    CycloneDX. Blocks.
    """
    try:
        bom = _bom(packages, build, at)
        written = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=None)
    except (ValueError, LookupError, RuntimeError, TypeError, AttributeError) as error:
        raise RefusedError(
            f"the SBOM of {build.run}: dpkg's database on the machine cannot be understood: "
            f"{type(error).__name__}: {error}"
        ) from error
    # One line for one machine to read; its keys in order, so that its digest is of what it says.
    document = _without_nonsense(json.loads(written))
    content = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if problem := _problem_of(content):
        raise RefusedError(f"the SBOM of {build.run} is not valid CycloneDX 1.6: {problem}")
    return Sbom(content.encode(), len(document.get("components", ())))


def _problem_of(content: str) -> str:
    # Its grammar of addresses takes seconds to build: a worker that starts need not wait for that.
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(content)
    return "" if problem is None else str(problem)


def components_of(content: bytes) -> list[Component]:
    """Return the source packages of an SBOM that was stored: those are what advisories name."""
    document = json.loads(content)
    machine = document.get("metadata", {}).get("component", {})
    found = [
        Component(
            name=purl.name,
            version=component["version"],
            database=purl.namespace or "",
            release=machine.get("version", ""),
        )
        for component in document.get("components", ())
        for purl in [PackageURL.from_string(component["purl"])]
        if purl.type == "deb" and _is_source(purl)
    ]
    return sorted(found, key=lambda component: (component.name, component.version))


def _without_nonsense(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out addresses that are none: packagers write what they like, and it is no reason to refuse."""
    for component in document.get("components", ()):
        supplier = component.get("supplier", {})
        contacts = [one for one in supplier.get("contact", ()) if _EMAIL.fullmatch(one.get("email", ""))]
        pages = [one for one in component.get("externalReferences", ()) if _ADDRESS.fullmatch(one["url"])]
        _put(supplier, "contact", contacts)
        _put(component, "externalReferences", pages)
    return document


def _put(record: dict[str, Any], name: str, values: list[Any]) -> None:
    record.pop(name, None)
    if values:
        record[name] = values


def _is_source(purl: PackageURL) -> bool:
    return dict(purl.qualifiers).get("arch") == "source"


def _bom(packages: Packages, build: Build, at: datetime) -> Any:
    with scratch("sbom") as root:
        status = root / "var/lib/dpkg/status"
        status.parent.mkdir(parents=True)
        status.write_text(packages.status)
        distribution = packages.distribution or _NAMELESS
        debsbom = Debsbom(
            distribution,
            root=str(root),
            distro_version=packages.release or None,
            distro_arch=packages.architecture or _ANY_ARCHITECTURE,
            base_distro_vendor=distribution,
            cdx_serialnumber=uuid5(NAMESPACE_URL, f"steadfleet:{build.run}"),
            timestamp=at.astimezone(UTC),
        )
        debsbom.scan()
        return debsbom.generate(SBOMType.CycloneDX)
