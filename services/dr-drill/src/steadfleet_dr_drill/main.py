"""The worker that rehearses disaster recovery: here, and only here, workflows meet adapters.

It may make what a drill needs, and delete nothing: the janitor tears down. Every setting comes from
the environment.
"""

import asyncio
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click
from temporalio.service import RPCError

from steadfleet_activities.configuring import aws_configured
from steadfleet_activities.drill.aws.clients import Regions
from steadfleet_activities.drill.aws.networks import VPC
from steadfleet_activities.drill.aws.parameters import parameters_of
from steadfleet_activities.drill.aws.rights import drill_access
from steadfleet_activities.drill.docker.joining import container_drivers
from steadfleet_activities.drill.drills import PlatformDrills
from steadfleet_activities.drill.postgres.folders import drill_folder, remove_abandoned
from steadfleet_activities.drill.postgres.stores import PostgresStores
from steadfleet_activities.drill.secrets import Secrets
from steadfleet_activities.fleet.reservation import TemporalReservations
from steadfleet_activities.image.attesting.verifier import ImageVerifier
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.janitor.leases import TemporalLeases
from steadfleet_activities.janitor.owners import look_at
from steadfleet_activities.tracing import trace_aws_calls
from steadfleet_core.drill.order import QUEUE
from steadfleet_dr_drill.rehearsal.command import controls
from steadfleet_dr_drill.settings import Settings
from steadfleet_dr_drill.watching import watch_drills
from steadfleet_durable import CurrentClient, get_logger, register, run_service, serve
from steadfleet_ports.lease import Owner
from steadfleet_workflows.drill import DrDrill
from steadfleet_workflows.drill_inspection import DrillHistory, DrillPreflight
from steadfleet_workflows.fleet import FleetReservation

NAME = QUEUE
_LOOK_EVERY = timedelta(minutes=1)
_log = get_logger(__name__)
WORKFLOWS = (DrDrill, DrillPreflight, DrillHistory, FleetReservation)


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Rehearse disaster recovery: as a worker until SIGTERM, or with harm on purpose, by `controls`."""
    if context.invoked_subcommand is None:
        run_service(work())


main.add_command(controls)


async def work() -> None:
    settings = Settings.from_env()
    trace_aws_calls()
    built = adapters(settings)

    async def beside(client: CurrentClient) -> None:
        watching = watch_drills(built[0], client, settings.worker.watch_interval)
        await asyncio.gather(forget_the_dead(client), watching)

    await serve(
        NAME,
        task_queue=NAME,
        workflows=WORKFLOWS,
        activities=[method for adapter in built for method in register(adapter)],
        settings=settings.worker,
        beside=beside,
    )


async def forget_the_dead(client: CurrentClient) -> None:
    """Take away, now and then, what drills that were terminated left on this host: no janitor reaches it."""

    async def closed(owner: Owner) -> bool:
        return not (await look_at(client(), owner)).open

    while True:
        try:
            await remove_abandoned(drill_folder(os.environ), closed)
        except (RPCError, OSError) as error:
            _log.warning("what closed drills left here was not looked for", problem=str(error))
        await asyncio.sleep(_LOOK_EVERY.total_seconds())


def adapters(settings: Settings, env: Mapping[str, str] | None = None) -> tuple[Any, ...]:
    """Build what stands behind the ports; raises `WorkerConfigError` where a setting cannot be right."""
    given = os.environ if env is None else env
    slots = settings.worker.max_concurrent_activities
    with aws_configured():
        regions = Regions.from_environment(given, slots=slots)
        secrets = Secrets(given, parameters_of(regions))
        images = AwsRegions.from_environment(given, slots=slots)
        verifier = ImageVerifier.from_environment(images, given)
        services, networks = container_drivers(given, verifier)
        drills = PlatformDrills.from_environment(
            given,
            slots=slots,
            verifier=verifier,
            stores={"postgres": PostgresStores.from_environment(secrets, given)},
            services=services,
            networks=networks,
        )
    leases = TemporalLeases(region=images.home, term=settings.lease_term)
    access = drill_access(regions, settings.bucket, given.get(VPC, ""))
    return drills, TemporalReservations(), leases, access
