"""Sign what was measured, and nothing else. Only the signer service loads this.

Taken from the platform and the object store by the signer itself: the copy's digests, that it carries
the tags of its run, the test report, the SBOM, that the sources and the log exist. A claim of the
workflow, which the statements repeat: which base, variables, packer and times it was, and that this
image came of them.
"""

from collections.abc import Mapping

from temporalio import activity
from temporalio.exceptions import ApplicationError

from steadfleet_activities.image.attesting.artifacts import Measured, digest_in
from steadfleet_activities.image.attesting.edge import at_the_edge
from steadfleet_activities.image.attesting.evidence import gather
from steadfleet_activities.image.attesting.statements import Author, statements
from steadfleet_activities.image.attesting.stores import Attestations, Shelf
from steadfleet_activities.image.platforms import Say
from steadfleet_activities.image.store import ImageStore
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.order import Platform
from steadfleet_core.model import digest_of
from steadfleet_durable import Heartbeat, get_logger, unbroken
from steadfleet_ports.image import AttestationRequest, Attested, Publication, PublishedCopy, Signer
from steadfleet_signing.errors import SelfCheckError, VerificationError
from steadfleet_signing.signers import Signer as Pen
from steadfleet_signing.statement import Statement
from steadfleet_signing.trust import TrustMaterial
from steadfleet_signing.verify import Verified, examine, verify_bundle

_log = get_logger(__name__)


class MeasuringSigner(Signer):
    """Measures a copy, reads the evidence, and signs. `own` trusts the pen, and nobody else."""

    def __init__(
        self, pen: Pen, own: TrustMaterial, builder: str, store: ImageStore, shelves: Mapping[Platform, Shelf]
    ) -> None:
        self._pen = pen
        self._own = own
        self._author = Author(builder, store.bucket)
        self._store = store
        self._shelves = shelves

    @activity.defn
    async def attest_image(self, request: AttestationRequest) -> Attested:
        with at_the_edge(f"signing {request.copy_id}"):
            async with Heartbeat() as beat:
                return await self._attest(request, beat.step)

    @activity.defn
    async def retract_attestations(self, publication: Publication) -> None:
        with at_the_edge(f"removing the attestations of {publication.build.run}"):
            shelf = self._shelf(publication)
            for copy in await shelf.artifacts.copies_of(publication):
                await unbroken(shelf.attestations.remove, copy)

    async def _attest(self, request: AttestationRequest, say: Say) -> Attested:
        shelf, build = self._shelf(request.publication), request.publication.build
        copy = PublishedCopy(place=request.publication.place.name, id=request.copy_id)
        _refuse_bad(request)
        await shelf.artifacts.require_run(copy, build)
        say("reading the evidence")
        evidence = await unbroken(gather, self._store, request)
        say("measuring")
        measured = await shelf.artifacts.measure(copy, say, deep=True)
        _refuse_different(request, measured)
        said = statements(request, measured, evidence, self._author)
        say("signing")
        where = await unbroken(self._sign_all, shelf.attestations, copy, said)
        subjects = {one.name: digest_in(one) for one in measured.subjects}
        return Attested(
            subjects=subjects,
            content=_content(measured),
            attestations=tuple(where),
            signer=str(self._pen.identity),
        )

    def _sign_all(self, store: Attestations, copy: PublishedCopy, said: list[Statement]) -> list[str]:
        """Sign each statement once: a try before this one may have signed some."""
        found = store.found(copy)
        ours = {
            one.signed: stored.where
            for stored in found.bundles
            for one in examine([stored.bundle], self._own)
            if isinstance(one, Verified)
        }
        where = []
        for statement in said:
            payload = statement.canonical()
            known = ours.get(digest_of(payload))
            where.append(known or store.put(copy, self._signed(payload)))
        return where

    def _signed(self, payload: bytes) -> bytes:
        bundle = self._pen.sign(payload)
        try:
            verified = verify_bundle(bundle, self._own)
        except VerificationError as error:
            raise SelfCheckError(f"what was just signed does not verify: {error}") from error
        if verified.signed != digest_of(payload):
            raise SelfCheckError("what was just signed is another statement")
        _log.info("signed", statement=verified.signed, bundle=verified.bundle, signer=str(verified.signer))
        return bundle

    def _shelf(self, publication: Publication) -> Shelf:
        platform = publication.build.platform
        if platform not in self._shelves:
            raise RefusedError(f"this signer measures no images of platform {platform}")
        return self._shelves[platform]


def _refuse_bad(request: AttestationRequest) -> None:
    if request.gate.blocking or request.examination.failures:
        raise RefusedError(
            f"{request.copy_id}: {request.gate.blocking} vulnerabilities block it and "
            f"{len(request.examination.failures)} checks did not pass: nothing is signed for it"
        )


def _content(measured: Measured) -> str:
    if measured.content is None:
        raise RefusedError("the content was not read: nothing is signed")
    return measured.content


def _refuse_different(request: AttestationRequest, measured: Measured) -> None:
    content = _content(measured)
    if request.content not in {None, content}:
        raise ApplicationError(
            f"{request.copy_id} in {request.publication.place.name} holds {content}, and the copy that was "
            f"signed first {request.content}: it was altered on the way, and is not signed",
            type="ContentDiffersError",
            non_retryable=True,
        )
