"""Looks at images: which there are, whether one may be used, what is kept of one. Nothing is touched."""

from temporalio import workflow

from steadfleet_durable.options import SLOW
from steadfleet_ports.image import (
    Document,
    DocumentRequest,
    ImageDecision,
    ImageListing,
    ImageQuery,
    Images,
    ImageVerification,
)


@workflow.defn
class ImageInspection:
    """List released images."""

    @workflow.run
    async def run(self, query: ImageQuery) -> ImageListing:
        return await workflow.execute_activity_method(Images.list_images, query, **SLOW)


@workflow.defn
class ImageCheck:
    """Verify one image by the worker's own trust policy."""

    @workflow.run
    async def run(self, verification: ImageVerification) -> ImageDecision:
        return await workflow.execute_activity_method(Images.verify_image, verification, **SLOW)


@workflow.defn
class ImageDocument:
    """Read an SBOM, a test report or packer's log."""

    @workflow.run
    async def run(self, request: DocumentRequest) -> Document:
        return await workflow.execute_activity_method(Images.read_document, request, **SLOW)
