"""What a person sees of a build, and may say to it."""

import asyncio
from collections.abc import Iterable

from temporalio import workflow

from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.image.order import Build, BuiltImage, ImageOrder
from steadfleet_core.image.report import (
    Examination,
    GateReport,
    ImageReceipt,
    ImageState,
    ImageStatus,
    Place,
    PlaceState,
)
from steadfleet_workflows.naming import run_name
from steadfleet_workflows.refusal import refused
from steadfleet_workflows.visibility import image_attributes, image_details

_UNDONE = "everything that was made for this version is taken away again"


class ImageShown:
    """Answers the query, keeps the details up to date, and hears retry and abort."""

    def __init__(self, order: ImageOrder) -> None:
        self.order = order
        self.spec = order.image.spec
        self.run_name = run_name("image", order.image.family, order.image.version)
        self.state = ImageState.PREPARING
        self.reason = ""
        self.started_at = workflow.now()
        self.build: Build | None = None
        self.built: BuiltImage | None = None
        self.examination: Examination | None = None
        self.gate: GateReport | None = None
        self.places: dict[str, Place] = {}
        self.channel = ""
        self.warnings: list[str] = []
        self.obligations: list[str] = []
        self.aborted = ""
        self.retrying = False
        self.releasing = False
        self._work: asyncio.Task[None] | None = None
        self._showing: ImageStatus | None = None

    @workflow.query
    def status(self) -> ImageStatus:
        """Say where the build stands; packer's last line is in the heartbeat of its activity."""
        return ImageStatus(
            family=self.order.image.family,
            version=self.order.image.version,
            labels=self.order.image.metadata.labels,
            state=self.state,
            reason=self.reason,
            requested_by=self.order.requested_by,
            order=self.order.digest,
            run=self.run_name,
            key=self.build.key if self.build else None,
            platform=self.build.platform if self.build else None,
            base=self.build.base if self.build else None,
            built=self.built,
            examination=self.examination,
            gate=self.gate,
            places=tuple(self.places.values()),
            channel=self.channel,
            warnings=tuple(self.warnings),
            obligations=tuple(self.obligations),
            started_at=self.started_at,
        )

    # -- verbs

    @workflow.update
    async def retry(self, request: Request) -> ImageReceipt:
        failed = [place.name for place in self._failed()]
        self.retrying = True
        return self._receipt("retry", request, f"{', '.join(failed)} is tried again; nothing is rebuilt")

    @retry.validator
    def _may_retry(self, request: Request) -> None:
        if self.state is not ImageState.HALTED or self.retrying or self.aborted:
            raise refused(f"cannot retry while {self.state}: only a halted build waits for it")

    @workflow.update
    async def abort(self, request: Request) -> ImageReceipt:
        receipt = self._receipt("abort", request, _UNDONE)
        why = f": {request.reason}" if request.reason else ""
        self.abort_work(f"aborted by {request.by}{why}")
        return receipt

    @abort.validator
    def _may_abort(self, request: Request) -> None:
        if problem := self._too_late():
            raise refused(problem)

    @workflow.signal(name="abort", description="Stop, and undo everything that was made for this version.")
    def abort_signal(self, request: Request | None = None) -> None:
        self.abort_work(f"aborted by {(request or Request()).by}")

    def abort_work(self, reason: str) -> None:
        """Cancel the work: what it made is undone before it ends."""
        if problem := self._too_late():
            workflow.logger.warning("ignored: %s: %s", reason, problem)
        elif self._work is not None:
            self.aborted = self.reason = reason
            self._work.cancel()

    def _too_late(self) -> str | None:
        if self.aborted:
            return f"cannot abort: {self.aborted} is being carried out"
        if self.releasing or self.state.closed or self.state is ImageState.UNDOING:
            return f"cannot abort while {self.state}: it is too late"
        return None

    # -- what changes

    def _enter(self, state: ImageState, reason: str = "") -> None:
        self.state, self.reason = state, reason
        self._show()

    def _show(self) -> None:
        status = self.status()
        if status == self._showing:
            return
        before, self._showing = self._showing, status
        workflow.set_current_details(image_details(status))  # costs no event
        told = before is None or (before.state, before.reason) != (status.state, status.reason)
        if told and self.order.search_attributes:
            workflow.upsert_search_attributes(image_attributes(status))

    def _note(self, place: Place, state: PlaceState, **facts: object) -> Place:
        noted = place.model_copy(update={"state": state, **facts})
        self.places = {**self.places, place.name: noted}
        self._show()
        return noted

    def _failed(self) -> Iterable[Place]:
        return [place for place in self.places.values() if place.state is PlaceState.FAILED]

    def _receipt(self, verb: str, request: Request, effect: str) -> ImageReceipt:
        return ImageReceipt(verb=verb, by=request.by, reason=request.reason, at=workflow.now(), effect=effect)
