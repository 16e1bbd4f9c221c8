"""What the object store holds of a build, and EC2 does not know: the signer reads it itself.

The workflow names each by digest. What does not have that digest, is of another run or image, or says
otherwise than the workflow does, is refused.
"""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from steadfleet_activities.image.examining.findings import TestRecord
from steadfleet_activities.image.store import ImageStore, Kept
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.report import CheckResult, TestVerdict
from steadfleet_core.model import Digest
from steadfleet_ports.image import AttestationRequest


@dataclass(frozen=True)
class Evidence:
    """The documents themselves, as they were stored; `sbom` is None where none was made."""

    results: tuple[CheckResult, ...]
    sbom: dict[str, Any] | None


def gather(store: ImageStore, request: AttestationRequest) -> Evidence:
    """Read and verify everything that the statements will name by digest, or refuse."""
    build, image = request.publication.build, request.publication.image
    store.get(Kept.SOURCES, build.sources)
    if image.log is not None:
        store.get(Kept.LOG, image.log)
    return Evidence(_results(store, request), _sbom(store, request.examination.sbom))


def _results(store: ImageStore, request: AttestationRequest) -> tuple[CheckResult, ...]:
    build, image, digest = request.publication.build, request.publication.image, request.examination.tests
    where = f"test report {digest}"
    try:
        record = TestRecord.model_validate_json(store.get(Kept.TESTS, digest))
    except ValidationError as error:
        raise RefusedError(f"{where} cannot be read: expected what the examination wrote") from error
    if (record.run, record.image) != (build.run, image.id):
        raise RefusedError(
            f"{where} is of {record.image}, run {record.run}: expected {image.id}, run {build.run}"
        )
    results = tuple(one.result for one in record.checks)
    failed = [result.name for result in results if result.verdict is not TestVerdict.PASSED]
    if failed or not results:
        raise RefusedError(
            f"{where}: {len(failed)} of {len(results)} checks did not pass ({', '.join(failed[:5])}): "
            "nothing is signed for an image that was not seen to be good"
        )
    if results != request.examination.results:
        raise RefusedError(f"{where} says otherwise than the build does: nothing is signed")
    return results


def _sbom(store: ImageStore, digest: Digest | None) -> dict[str, Any] | None:
    if digest is None:
        return None
    try:
        document = json.loads(store.get(Kept.SBOM, digest))
    except ValueError as error:
        raise RefusedError(f"SBOM {digest} is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
        raise RefusedError(f"SBOM {digest}: expected a CycloneDX document")
    return document
