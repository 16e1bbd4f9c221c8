"""Trying and signing again an image that is published already."""

from datetime import timedelta

from temporalio import workflow

from steadfleet_core.image.report import Examination
from steadfleet_core.model import Model
from steadfleet_durable.options import LONG, on_queue, within
from steadfleet_durable.saga import Saga
from steadfleet_ports.image import Attested, ImageExamination, Images, Signer, SigningOrder, TrialOrder
from steadfleet_ports.lease import LeaseOrder, Owner
from steadfleet_workflows.leasing import Leased, sweep_of
from steadfleet_workflows.naming import run_name
from steadfleet_workflows.publishing import SIGNER_QUEUE

_MARGIN = timedelta(hours=1)


@workflow.defn
class ImageTrial:
    """Boot a fresh machine from a published image and try it; nothing of it stays."""

    @workflow.run
    async def run(self, order: TrialOrder) -> Examination:
        info = workflow.info()
        run = run_name("trial", order.build.family, order.build.version)
        limit = order.spec.time_limit + order.spec.boot_time_limit + _MARGIN
        build = order.build.model_copy(update={"run": run, "expires_at": workflow.now() + 2 * limit})
        request = ImageExamination(build=build, image=order.image, spec=order.spec, sbom=order.sbom)
        lease = LeaseOrder(
            sweep=sweep_of(run, build),
            owner=Owner(workflow=info.workflow_id, run=info.first_execution_run_id),
        )
        async with Leased(lease), Saga() as saga:
            saga.compensate_with(Images.discard_machine, request)
            return await workflow.execute_activity_method(
                Images.examine_image, request, **within(LONG, limit)
            )


class SigningReport(Model):
    attested: tuple[Attested, ...]


@workflow.defn
class ImageSigning:
    """Have every copy of an image measured and signed again; what is there already stays."""

    @workflow.run
    async def run(self, order: SigningOrder) -> SigningReport:
        attested: list[Attested] = []
        for request in order.requests:
            bounded = within(LONG, request.publication.publish.copy_time_limit, attempts=3)
            attested.append(
                await workflow.execute_activity_method(
                    Signer.attest_image, request, **on_queue(bounded, SIGNER_QUEUE)
                )
            )
        return SigningReport(attested=tuple(attested))
