"""A platform for images in memory: it remembers what exists, and fails or hangs where a test wants."""

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from steadfleet_core.image.channel import Promotion, PromotionReceipt
from steadfleet_core.image.golden import GoldenImage as GoldenImageContract
from steadfleet_core.image.order import Base, Build, BuiltImage, ImageOrder, Platform
from steadfleet_core.image.report import CheckResult, Examination, GateReport, ImageReport, TestVerdict
from steadfleet_core.model import digest_of
from steadfleet_durable import register, workflow_runner
from steadfleet_ports.channel import Channels
from steadfleet_ports.image import (
    AttestationRequest,
    Attested,
    BuildPreparation,
    Document,
    DocumentRequest,
    ImageBuild,
    ImageDecision,
    ImageExamination,
    ImageJudgement,
    ImageListing,
    ImageQuery,
    Images,
    ImageVerification,
    ListedImage,
    Publication,
    PublishedCopy,
    Release,
    Signer,
)
from steadfleet_ports.lease import LeaseOrder, Leases, LeaseState, LeaseStatus, Residue
from steadfleet_workflows.channel import ImageChannel
from steadfleet_workflows.image import GoldenImage
from steadfleet_workflows.publishing import SIGNER_QUEUE

IMAGE_QUEUE = "image-build"
HOME, AWAY = "eu-west-1", "eu-central-1"
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """What exists. A step takes effect before it fails or hangs: the worst moment for an undo."""

    things: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    failing: dict[str, str] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)
    failed_checks: tuple[str, ...] = ()
    blocking: int = 0
    content: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    said: str = ""
    listed: list[ListedImage] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)

    def keep(self, content: bytes) -> str:
        """Store a document, and return its digest."""
        digest = digest_of(content)
        self.documents[digest] = content
        return digest

    async def step(self, name: str, thing: str = "", where: str = "") -> None:
        key = f"{name} {where}".strip()
        self.calls.append(key)
        if thing:
            self.things.add(thing)
        self.reached.add(key)
        if key in self.failing:
            raise ApplicationError(self.failing[key], type="PlantedError", non_retryable=True)
        while key in self.hanging:
            activity.heartbeat(*([self.said] if self.said else []))
            await asyncio.sleep(0.05)

    @property
    def temporary(self) -> set[str]:
        """What should not be there once a build has ended badly."""
        return {thing for thing in self.things if not thing.startswith("sources")}


class FakeImages(Images):
    def __init__(self, world: World) -> None:
        self.world = world

    @activity.defn
    async def prepare_build(self, preparation: BuildPreparation) -> Build:
        await self.world.step("prepare", "sources")
        image = preparation.order.image
        return Build(
            family=image.family,
            version=image.version,
            run=preparation.run,
            platform=Platform.AWS,
            region=HOME,
            sources=digest_of(preparation.order.sources.encode()),
            template=image.spec.build.template,
            base=Base(id="ami-00000000000000ba5"),
            key=preparation.order.digest,
            packer_version="1.6.6",
            expires_at=preparation.expires_at,
        )

    @activity.defn
    async def build_image(self, build: ImageBuild) -> BuiltImage:
        await self.world.step("build", f"image {HOME}")
        log = self.world.keep(b"packer's log\n")
        return BuiltImage(id="ami-000000000000001", log=log, started_at=WHEN, ended_at=WHEN)

    @activity.defn
    async def discard_build(self, build: ImageBuild) -> None:
        await self.world.step("discard build")
        self.world.things.discard(f"image {HOME}")

    @activity.defn
    async def examine_image(self, examination: ImageExamination) -> Examination:
        await self.world.step("examine", "machine")
        self.world.things.discard("machine")
        results = [
            CheckResult(name=name, type="command", verdict=TestVerdict.FAILED, reason="broken", seconds=1)
            for name in self.world.failed_checks
        ]
        results.append(CheckResult(name="boots", type="command", verdict=TestVerdict.PASSED, seconds=1))
        return Examination(
            results=tuple(results),
            tests=self.world.keep(b"tests"),
            sbom=self.world.keep(b'{"bomFormat": "CycloneDX"}') if examination.sbom else None,
            machine="i-1",
            started_at=WHEN,
            ended_at=WHEN,
        )

    @activity.defn
    async def discard_machine(self, examination: ImageExamination) -> None:
        await self.world.step("discard machine")
        self.world.things.discard("machine")

    @activity.defn
    async def judge_image(self, judgement: ImageJudgement) -> GateReport:
        await self.world.step("judge")
        return GateReport(found=self.world.blocking, blocking=self.world.blocking)

    @activity.defn
    async def publish_image(self, publication: Publication) -> PublishedCopy:
        where = publication.place.name
        await self.world.step("publish", f"image {where}", where)
        return PublishedCopy(place=where, id=f"ami of {where}")

    @activity.defn
    async def withdraw_image(self, publication: Publication) -> None:
        where = publication.place.name
        await self.world.step("withdraw", where=where)
        if where != HOME:
            self.world.things.discard(f"image {where}")

    @activity.defn
    async def release_image(self, release: Release) -> None:
        where = release.publication.place.name
        await self.world.step("release", f"released {where}", where)

    @activity.defn
    async def verify_image(self, verification: ImageVerification) -> ImageDecision:
        await self.world.step("verify")
        refused = tuple(self.world.refused)
        image = f"{verification.image.family}@{verification.image.version}"
        return ImageDecision(image=image, allowed=not refused, enforced=True, reasons=refused)

    @activity.defn
    async def read_document(self, request: DocumentRequest) -> Document:
        packed = gzip.compress(self.world.documents[request.digest])
        return Document(content=base64.b64encode(packed).decode())

    @activity.defn
    async def list_images(self, query: ImageQuery) -> ImageListing:
        images = [one for one in self.world.listed if query.family in ("", one.family)]
        return ImageListing(images=tuple(images))


class FakeSigner(Signer):
    def __init__(self, world: World) -> None:
        self.world = world

    @activity.defn
    async def attest_image(self, request: AttestationRequest) -> Attested:
        where = request.publication.place.name
        await self.world.step("attest", f"attestation {where}", where)
        content = digest_of(self.world.content.get(where, "content").encode())
        if request.content not in (None, content):
            raise ApplicationError(
                f"measured {content}, signed {request.content}",
                type="ContentDiffersError",
                non_retryable=True,
            )
        return Attested(subjects={}, content=content, attestations=(f"s3://{where}",), signer="key:1")

    @activity.defn
    async def retract_attestations(self, publication: Publication) -> None:
        where = publication.place.name
        await self.world.step("retract", where=where)
        self.world.things.discard(f"attestation {where}")


class FakeLeases(Leases):
    def __init__(self, world: World) -> None:
        self.world = world

    @activity.defn
    async def open_lease(self, order: LeaseOrder) -> LeaseStatus:
        await self.world.step("open lease", "lease")
        expires_at = activity.info().scheduled_time + timedelta(minutes=15)
        return LeaseStatus(
            run=order.sweep.run, owner=order.owner, expires_at=expires_at, state=LeaseState.HELD
        )

    @activity.defn
    async def close_lease(self, order: LeaseOrder) -> Residue:
        await self.world.step("close lease")
        self.world.things.discard("lease")
        return Residue()


class FakeChannels(Channels):
    def __init__(self, world: World) -> None:
        self.world = world
        self.promotions: list[Promotion] = []

    @activity.defn
    async def promote_image(self, promotion: Promotion) -> PromotionReceipt:
        await self.world.step("promote")
        self.promotions.append(promotion)
        reasons = tuple(self.world.refused)
        return PromotionReceipt(moved=not reasons, version=promotion.version, reasons=reasons)


@asynccontextmanager
async def image_workers(
    env: WorkflowEnvironment, world: World, *workflows: type, **options: Any
) -> AsyncIterator[None]:
    """Work on both queues, as two services do: the builder's worker has no signer."""
    fakes = (FakeImages(world), FakeLeases(world), FakeChannels(world))
    quick = timedelta(milliseconds=100)
    options = {
        "max_heartbeat_throttle_interval": quick,
        "default_heartbeat_throttle_interval": quick,
        **options,
    }
    async with (
        Worker(
            env.client,
            task_queue=IMAGE_QUEUE,
            workflows=[GoldenImage, ImageChannel, *workflows],
            activities=[method for fake in fakes for method in register(fake)],
            workflow_runner=workflow_runner(),
            **options,
        ),
        Worker(env.client, task_queue=SIGNER_QUEUE, activities=register(FakeSigner(world)), **options),
    ):
        yield


def image_order(**spec: Any) -> ImageOrder:
    """Return an order for version 1.4.2 of web; `spec` replaces parts of it, in YAML's words."""
    defaults = {
        "version": "1.4.2",
        "build": {"template": "web.pkr.hcl", "base": {"name": "debian-12-base"}},
        "publish": {"regions": [{"name": HOME}, {"name": AWAY}]},
    }
    contract = {
        "apiVersion": "steadfleet.dev/v1",
        "kind": "GoldenImage",
        "metadata": {"name": "web"},
        "spec": {**defaults, **spec},
    }
    image = GoldenImageContract.model_validate(contract)
    return ImageOrder(image=image, sources="c291cmNlcw==", requested_by="ann", search_attributes=False)


async def start_build(
    env: WorkflowEnvironment, workflow: Any = GoldenImage.run, **spec: Any
) -> WorkflowHandle[GoldenImage, ImageReport]:
    order = image_order(**spec)
    handle: WorkflowHandle[GoldenImage, ImageReport] = await env.client.start_workflow(
        workflow,
        order,
        id=order.workflow_id,
        task_queue=IMAGE_QUEUE,
        result_type=ImageReport,
        execution_timeout=timedelta(days=30),
    )
    return handle
