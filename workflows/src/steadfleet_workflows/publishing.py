"""Bringing an image to its places: each on its own, each retried without a rebuild."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from steadfleet_core.image.golden import Region
from steadfleet_core.image.order import Build, BuiltImage, Platform
from steadfleet_core.image.report import Examination, GateReport, ImageState, Place, PlaceState
from steadfleet_durable.options import LONG, UNDO, Options, on_queue, within
from steadfleet_durable.saga import Saga
from steadfleet_ports.image import (
    AttestationRequest,
    Attested,
    Images,
    Publication,
    PublishedCopy,
    Release,
    Signer,
)
from steadfleet_workflows.hosts import root_cause
from steadfleet_workflows.image_shown import ImageShown

SIGNER_QUEUE = "signer"
HALT_TIME = timedelta(hours=24)
"""How long a halted build waits for a person before it is undone."""


class UndecidedError(ApplicationError):
    """Nobody decided about a halted build in time."""


class Publishing(ImageShown):
    """Copies, signs and releases."""

    async def _publish(self, saga: Saga, built: BuiltImage) -> None:
        """Bring the image everywhere; stand open while a required place is missing."""
        for region in self._regions():
            publication = self._publication(built, region)
            saga.compensate_with(Images.withdraw_image, publication)
            if self.spec.gates.signature:
                saga.compensate_with(Signer.retract_attestations, publication, task_queue=SIGNER_QUEUE)
            self._note(Place(name=region.name, required=region.required), PlaceState.WAITING)
        while True:
            self._enter(ImageState.PUBLISHING)
            await self._publish_missing(built)
            missing = [place for place in self._failed() if place.required]
            if not missing:
                return
            await self._halt("; ".join(f"{place.name}: {place.reason}" for place in missing))

    async def _publish_missing(self, built: BuiltImage) -> None:
        """Bring it to the build's own place first: what is signed there is what the others must be."""
        first, *others = self._regions()
        if self.places[first.name].state is not PlaceState.READY:
            await self._bring(built, first)
        if self.places[first.name].state is PlaceState.READY:
            left = [one for one in others if self.places[one.name].state is not PlaceState.READY]
            await asyncio.gather(*(self._bring(built, region) for region in left))

    async def _bring(self, built: BuiltImage, region: Region) -> None:
        publication = self._publication(built, region)
        place = self.places[region.name]
        try:
            place = self._note(place, PlaceState.COPYING, reason="")
            copy: PublishedCopy = await workflow.execute_activity_method(
                Images.publish_image, publication, **self._bounded()
            )
            place = self._note(place, PlaceState.SIGNING, id=copy.id)
            attested = await self._attest(publication, copy)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self._note(place, PlaceState.FAILED, reason=root_cause(error))
            await self._withdraw(publication)
        else:
            facts = {"content": attested.content, "attestations": attested.attestations} if attested else {}
            self._note(place, PlaceState.READY, **facts)

    async def _attest(self, publication: Publication, copy: PublishedCopy) -> Attested | None:
        if not self.spec.gates.signature:
            return None
        return await workflow.execute_activity_method(
            Signer.attest_image,
            self._attestation(publication, copy.id),
            **on_queue(self._bounded(), SIGNER_QUEUE),
        )

    def _attestation(self, publication: Publication, copy_id: str) -> AttestationRequest:
        return AttestationRequest(
            publication=publication,
            copy_id=copy_id,
            order=self.order.digest,
            invocation=f"{workflow.info().namespace}/{workflow.info().workflow_id}/{self.run_name}",
            examination=self._examined(),
            gate=self.gate or GateReport(),
            provenance=self.spec.gates.provenance,
            content=self.places[self._regions()[0].name].content,
            spec=self.spec.build,
        )

    def _attestations(self) -> Iterator[AttestationRequest]:
        for region in self._regions() if self.built else ():
            place = self.places.get(region.name)
            if self.built and place and place.attestations:
                yield self._attestation(self._publication(self.built, region), place.id)

    async def _withdraw(self, publication: Publication) -> None:
        """Leave no half copy where the image failed to arrive."""
        try:
            if self.spec.gates.signature:
                await workflow.execute_activity_method(
                    Signer.retract_attestations, publication, **on_queue(UNDO, SIGNER_QUEUE)
                )
            await workflow.execute_activity_method(Images.withdraw_image, publication, **UNDO)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self.obligations.append(f"withdraw the copy in {publication.place.name} ({root_cause(error)})")

    async def _halt(self, reason: str, patience: timedelta | None = HALT_TIME) -> None:
        """Stand open until a person retries or aborts; in the end, abort."""
        self._enter(ImageState.HALTED, reason)
        try:
            await workflow.wait_condition(
                lambda: self.retrying, timeout=patience, timeout_summary="halted: retry or abort"
            )
        except TimeoutError:
            raise UndecidedError(f"nobody decided within a day: {reason}") from None
        self.retrying = False

    async def _release(self, built: BuiltImage) -> None:
        """Let every copy be found, all in one go: until here none counts, from here on none is undone."""
        self.releasing = True
        for region in self._regions():
            place = self.places[region.name]
            if place.state is PlaceState.READY:
                await self._release_at(self._publication(built, region), place)

    async def _release_at(self, publication: Publication, place: Place) -> None:
        release = Release(publication=publication, copy_id=place.id, order=self.order.digest)
        while True:
            self._enter(ImageState.RELEASING)
            try:
                await workflow.execute_activity_method(Images.release_image, release, **UNDO)
            except ActivityError as error:
                await self._halt(f"release in {place.name}: {root_cause(error)}", patience=None)
            else:
                self._note(place, PlaceState.RELEASED)
                return

    def _publication(self, built: BuiltImage, region: Region) -> Publication:
        return Publication(build=self._resolved(), image=built, place=region, publish=self.spec.publish)

    def _regions(self) -> list[Region]:
        """List the places, the build's own first: it has the image in any case."""
        build = self._resolved()
        if build.platform is Platform.DOCKER:
            return list(self.spec.publish.registries) or [Region(name=build.region)]
        named = {region.name: region for region in self.spec.publish.regions}
        own = named.pop(build.region, Region(name=build.region)).model_copy(update={"required": True})
        return [own, *named.values()]

    def _bounded(self) -> Options:
        publish = self.spec.publish
        return within(LONG, publish.copy_time_limit, publish.attempts)

    def _resolved(self) -> Build:
        if self.build is None:
            raise RuntimeError("nothing is built before it is resolved")
        return self.build

    def _examined(self) -> Examination:
        if self.examination is None:
            raise RuntimeError("nothing is signed before it is tried")
        return self.examination
