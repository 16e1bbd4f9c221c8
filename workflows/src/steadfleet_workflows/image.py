"""A golden image: built, tried on a fresh machine, judged, signed, published; or undone entirely."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

from steadfleet_core.image.channel import Promotion
from steadfleet_core.image.order import Build, BuiltImage, ImageOrder, Platform
from steadfleet_core.image.report import ImageReport, ImageState, PlaceState
from steadfleet_durable.options import LONG, QUICK, SLOW, within
from steadfleet_durable.saga import Saga
from steadfleet_ports.channel import Channels
from steadfleet_ports.image import (
    BuildPreparation,
    ImageBuild,
    ImageExamination,
    ImageJudgement,
    Images,
    SigningOrder,
    TrialOrder,
)
from steadfleet_ports.lease import LeaseOrder, Owner
from steadfleet_workflows.hosts import root_cause
from steadfleet_workflows.image_shown import ImageShown
from steadfleet_workflows.leasing import Leased, sweep_of
from steadfleet_workflows.outlasting import outlast_cancels
from steadfleet_workflows.owing import count_obligations
from steadfleet_workflows.publishing import HALT_TIME, Publishing, UndecidedError

_MARGIN = timedelta(hours=1)


@workflow.defn
class GoldenImage(Publishing):
    """Build one version of a family. Whatever fails or is aborted leaves nothing behind."""

    @workflow.init
    def __init__(self, order: ImageOrder) -> None:
        ImageShown.__init__(self, order)

    @workflow.run
    async def run(self, order: ImageOrder) -> ImageReport:
        self._work = asyncio.create_task(self._make())
        cancelled = await outlast_cancels(self._work, self.abort_work)
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._close(self._work)
        if cancelled is not None:
            raise cancelled
        return ImageReport(status=self.status(), ended_at=workflow.now())

    @workflow.query
    def trial(self) -> TrialOrder | None:
        """Say what it takes to try the image again; None before it is built."""
        if self.build is None or self.built is None:
            return None
        image = self.built
        copies = [place.id for place in self.places.values() if place.state is PlaceState.RELEASED]
        if copies and self.build.platform is Platform.DOCKER:
            # What its engine had went with the lease: a registry has it.
            image = image.model_copy(update={"id": copies[0]})
        return TrialOrder(build=self.build, image=image, spec=self.spec.tests, sbom=self.spec.gates.sbom)

    @workflow.query
    def signing(self) -> SigningOrder:
        """Say what the signer was asked for the copies that are released."""
        return SigningOrder(requests=tuple(self._attestations()))

    # -- the story

    async def _make(self) -> None:
        self._show()
        build = self.build = await self._prepare()
        async with Leased(self._lease(build)) as lease:
            try:
                await self._make_under_lease(build)
            finally:
                self.lease = lease

    async def _make_under_lease(self, build: Build) -> None:
        async with Saga() as saga:
            try:
                built = self.built = await self._build(saga, build)
                await self._examine(saga, build, built)
                await self._judge(build)
                await self._publish(saga, built)
            except (FailureError, asyncio.CancelledError) as error:
                self._enter(ImageState.UNDOING, self.aborted or _told(error))
                raise
            finally:
                self.saga = saga
        await self._release(built)
        await self._move_channel()

    async def _prepare(self) -> Build:
        """Resolve every input. Whatever is wrong is said here, with nothing made."""
        preparation = BuildPreparation(
            order=self.order, run=self.run_name, expires_at=workflow.now() + self._longest()
        )
        return await workflow.execute_activity_method(Images.prepare_build, preparation, **SLOW)

    async def _build(self, saga: Saga, build: Build) -> BuiltImage:
        self._enter(ImageState.BUILDING)
        request = ImageBuild(build=build, spec=self.spec.build)
        saga.compensate_with(Images.discard_build, request)
        limit = self.spec.build.time_limit + _MARGIN
        return await workflow.execute_activity_method(Images.build_image, request, **within(LONG, limit))

    async def _examine(self, saga: Saga, build: Build, built: BuiltImage) -> None:
        self._enter(ImageState.TESTING)
        tests = self.spec.tests
        request = ImageExamination(build=build, image=built, spec=tests, sbom=self.spec.gates.sbom)
        saga.compensate_with(Images.discard_machine, request)
        limit = tests.time_limit + tests.boot_time_limit + _MARGIN
        self.examination = await workflow.execute_activity_method(
            Images.examine_image, request, **within(LONG, limit)
        )
        failures = self.examination.failures
        if failures:
            first = "; ".join(f"{failure.name}: {failure.reason}" for failure in failures[:5])
            raise _failed(
                "TestsFailedError",
                f"{len(failures)} of {len(self.examination.results)} tests failed: {first}",
            )

    async def _judge(self, build: Build) -> None:
        gates = self.spec.gates
        if gates.vulnerabilities is None or self.examination is None:
            return
        self._enter(ImageState.JUDGING)
        request = ImageJudgement(build=build, gates=gates, sbom=self.examination.sbom, at=workflow.now())
        self.gate = await workflow.execute_activity_method(Images.judge_image, request, **SLOW)
        self.warnings += self.gate.warnings
        if self.gate.blocking:
            worst = ", ".join(f"{one.id} in {one.package}" for one in self.gate.findings[:5] if one.blocks)
            raise _failed(
                "GateRefusedError",
                f"{self.gate.blocking} vulnerabilities of at least {gates.vulnerabilities.severity} are "
                f"not waived: {worst}; update the packages, or waive them with a reason and an end",
            )

    async def _move_channel(self) -> None:
        """Point the channel; a refusal is told, and the image stays published."""
        channel = self.spec.publish.channel
        if channel is None:
            return
        promotion = Promotion(
            family=self.order.image.family,
            channel=channel,
            version=self.order.image.version,
            by=self.order.requested_by,
            reason=f"published by {workflow.info().workflow_id}",
            platform=self._resolved().platform,
            places=tuple(one.name for one in self.places.values() if one.state is PlaceState.RELEASED),
        )
        try:
            receipt = await workflow.execute_activity_method(Channels.promote_image, promotion, **QUICK)
        except ActivityError as error:
            self.obligations.append(f"move channel {channel} ({root_cause(error)})")
            return
        self.channel = channel if receipt.moved else ""
        if not receipt.moved:
            self.warnings.append(f"channel {channel} was not moved: {'; '.join(receipt.reasons)}")

    # -- its end

    def _close(self, work: asyncio.Task[None]) -> None:
        """Say how it ended; a failure fails the workflow, an abort does not."""
        self._owe_what_is_left()
        error = None if work.cancelled() else work.exception()
        if error is None and not work.cancelled():
            self._enter(ImageState.PUBLISHED)
        elif self.aborted or isinstance(error, UndecidedError):
            self._enter(ImageState.ABORTED, self.aborted or str(error))
        elif isinstance(error, FailureError):
            self._enter(ImageState.FAILED, _told(error))
            raise ApplicationError(_told(error), type=_kind(error), non_retryable=True) from error
        elif error is not None:
            raise error

    def _owe_what_is_left(self) -> None:
        saga: Saga | None = getattr(self, "saga", None)
        lease: Leased | None = getattr(self, "lease", None)
        for failure in saga.failures if saga else ():
            self.obligations.append(f"{failure.activity} gave up: {root_cause(failure.error)}")
        for left in lease.residue if lease else ():
            self.obligations.append(f"left behind: {left}")
        if lease and lease.problem:
            self.obligations.append(lease.problem)
        count_obligations(self.obligations)

    def _lease(self, build: Build) -> LeaseOrder:
        info = workflow.info()
        return LeaseOrder(
            sweep=sweep_of(self.run_name, build, *(one.name for one in self.spec.publish.regions)),
            owner=Owner(workflow=info.workflow_id, run=info.first_execution_run_id),
        )

    def _longest(self) -> timedelta:
        """Return when everything temporary may be swept at the latest, counted from now."""
        spec = self.spec
        tests = spec.tests.time_limit + spec.tests.boot_time_limit
        return spec.build.time_limit + tests + spec.publish.copy_time_limit + HALT_TIME + 4 * _MARGIN


def _failed(kind: str, problem: str) -> ApplicationError:
    return ApplicationError(problem, type=kind, non_retryable=True)


def _told(error: BaseException) -> str:
    return "cancelled" if is_cancelled_exception(error) else root_cause(error)


def _kind(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return getattr(error, "type", None) or "ImageFailedError"
