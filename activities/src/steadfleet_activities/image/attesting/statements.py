"""What the signer says of a copy that it measured. The same request always gives the same statements.

Subjects are measured; what comes from the object store was read by digest. All else in the provenance
(the base, the variables, the times, the invocation) is what the workflow says of itself, and the
signature makes that the builder's word, not a proof: see docs/signing.md.
"""

from dataclasses import dataclass
from typing import Any

import rfc8785

from steadfleet_activities.image.attesting.artifacts import Measured
from steadfleet_activities.image.attesting.evidence import Evidence
from steadfleet_activities.image.store import Kept
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.golden import BuildSpec
from steadfleet_core.image.order import Build, Platform
from steadfleet_core.model import Digest
from steadfleet_ports.image import AttestationRequest
from steadfleet_signing.predicates import Builder, Outcome, Provenance, Resource, TestResult
from steadfleet_signing.statement import (
    CYCLONEDX,
    PLAIN_SIGNATURE,
    SLSA_PROVENANCE,
    TEST_RESULT,
    Statement,
)

BUILD_TYPE = "https://steadfleet.dev/build-types/golden-image/v1"
"""What the parameters of our provenance mean: docs/signing.md says it."""

SBOM_REFERENCE = "https://steadfleet.dev/sbom-reference/v1"
"""Names an SBOM by URI and digest that is too large to be stated whole. No policy takes it for one."""

MOST_SBOM_BYTES = 12 * 2**20
"""Of an SBOM that is stated whole: verifiers read statements of 16 MiB at most."""


@dataclass(frozen=True)
class Author:
    """What the signer knows by itself: who it is, and the bucket that it read."""

    builder: str
    bucket: str

    def uri(self, kind: Kept, digest: Digest) -> str:
        return f"s3://{self.bucket}/{kind.key(digest)}"


def statements(
    request: AttestationRequest, measured: Measured, evidence: Evidence, author: Author
) -> list[Statement]:
    """State everything that is wanted of this copy, each in a statement of its own."""
    said: list[tuple[str, dict[str, Any]]] = []
    if request.provenance:
        said.append((SLSA_PROVENANCE, provenance(request, author)))
    if not request.provenance or request.publication.build.platform is Platform.DOCKER:
        # Where there is no other; and in a registry, for `cosign verify` takes nothing else for one.
        said.append((PLAIN_SIGNATURE, {}))
    if evidence.sbom is not None and request.examination.sbom is not None:
        said.append(_sbom(evidence.sbom, request.examination.sbom, author))
    said.append((TEST_RESULT, _tests(request, evidence, author)))
    return [
        Statement(subjects=measured.subjects, predicate_type=kind, predicate=predicate)
        for kind, predicate in said
    ]


def provenance(request: AttestationRequest, author: Author) -> dict[str, Any]:
    build, image, spec = request.publication.build, request.publication.image, _spec(request)
    return Provenance(
        build_type=BUILD_TYPE,
        external_parameters={
            "family": build.family,
            "version": build.version,
            **spec.model_dump(mode="json", by_alias=True, exclude_none=True),
        },
        internal_parameters={
            "order": request.order,
            "run": build.run,
            "key": build.key,
            "platform": build.platform,
            "builtIn": build.region,
            "builtImage": image.id,
            "place": request.publication.place.name,
        },
        resolved_dependencies=(
            _stored("sources", Kept.SOURCES, build.sources, author),
            _base(build),
            Resource(name="packer", uri=f"pkg:generic/packer@{build.packer_version}"),
        ),
        builder=Builder(id=author.builder),
        invocation_id=request.invocation,
        started=image.started_at,
        finished=image.ended_at,
        byproducts=tuple(_byproducts(request, author)),
    ).predicate()


def _spec(request: AttestationRequest) -> BuildSpec:
    if request.spec is None:
        raise RefusedError(
            "provenance must name every parameter of the build, and the request leaves them out: "
            "expected its spec"
        )
    if request.spec.template != request.publication.build.template:
        raise RefusedError(
            f"the request says template {request.spec.template}, and the build was of "
            f"{request.publication.build.template}: nothing is signed"
        )
    return request.spec


def _base(build: Build) -> Resource:
    where = build.base.id
    if build.platform is Platform.AWS:
        where = f"arn:aws:ec2:{build.region}::image/{build.base.id}"
    return Resource(name=build.base.name or "base", uri=where, digest=_hex(build.base.digest))


def _byproducts(request: AttestationRequest, author: Author) -> list[Resource]:
    image, examination = request.publication.image, request.examination
    found = [("packer log", Kept.LOG, image.log), ("tests", Kept.TESTS, examination.tests)]
    found.append(("sbom", Kept.SBOM, examination.sbom))
    return [_stored(name, kind, digest, author) for name, kind, digest in found if digest]


def _sbom(document: dict[str, Any], digest: Digest, author: Author) -> tuple[str, dict[str, Any]]:
    if len(rfc8785.dumps(document)) <= MOST_SBOM_BYTES:
        return CYCLONEDX, document
    reference = _stored("sbom", Kept.SBOM, digest, author)
    return SBOM_REFERENCE, reference.model_copy(
        update={"media_type": "application/vnd.cyclonedx+json"}
    ).predicate()


def _tests(request: AttestationRequest, evidence: Evidence, author: Author) -> dict[str, Any]:
    sources = _stored("sources", Kept.SOURCES, request.publication.build.sources, author)
    order = Resource(name="order", digest=_hex(request.order))
    passed = tuple(result.name for result in evidence.results)
    said = TestResult(result=Outcome.PASSED, configuration=(sources, order), passed_tests=passed)
    return {**said.predicate(), "url": author.uri(Kept.TESTS, request.examination.tests)}


def _stored(name: str, kind: Kept, digest: Digest, author: Author) -> Resource:
    return Resource(name=name, uri=author.uri(kind, digest), digest=_hex(digest))


def _hex(digest: Digest | None) -> dict[str, str] | None:
    return {"sha256": digest.removeprefix("sha256:")} if digest else None
