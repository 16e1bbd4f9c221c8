"""The witness: a process apart from the worker that recovers, with a clock and ledgers of its own.

Run it where the users of a service are, not where the service is recovered: it sees what they see.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

from steadfleet_activities.configuring import aws_configured
from steadfleet_activities.drill.witness.clock import WitnessClock
from steadfleet_activities.drill.witness.databases import Database
from steadfleet_activities.drill.witness.folder import WitnessFolder
from steadfleet_activities.drill.witness.journal import Journal
from steadfleet_activities.drill.witness.keeper import Connect, Keeper
from steadfleet_activities.drill.witness.passwords import Passwords, SsmParameters
from steadfleet_activities.drill.witness.resolving import Names
from steadfleet_activities.drill.witness.sealing import SealedLedgers
from steadfleet_activities.drill.witness.spec import LedgerSpec
from steadfleet_activities.drill.witness.witness import IndependentWitness
from steadfleet_activities.fleet.clients import Aws
from steadfleet_core.drill.order import WITNESS_QUEUE
from steadfleet_core.errors import RefusedError
from steadfleet_dr_drill.witness_settings import FOLDER, WitnessSettings
from steadfleet_durable import WorkerConfigError, register, run_service, serve

NAME = WITNESS_QUEUE


def main() -> NoReturn:
    """Work until SIGTERM; every setting comes from the environment."""
    run_service(work())


async def work() -> None:
    settings = WitnessSettings.from_env()
    witness = adapter(settings)
    with kept(list(witness.keepers.values())):
        await serve(NAME, task_queue=NAME, activities=register(witness), settings=settings.worker)


def adapter(settings: WitnessSettings, env: Mapping[str, str] | None = None) -> IndependentWitness:
    """Build what stands behind the port; raises `WorkerConfigError` where a setting cannot be right."""
    given = os.environ if env is None else env
    with aws_configured():
        aws = Aws.from_environment(given, slots=settings.worker.max_concurrent_activities)
    clock = WitnessClock()
    passwords = Passwords(SsmParameters(aws.ssm), given)
    try:
        folder = WitnessFolder.taken(settings.folder)
        keepers = {
            spec.name: Keeper(spec, Journal(folder.ledger(spec.name)), clock.now, _connect(passwords))
            for spec in settings.ledgers
        }
    except RefusedError as error:
        raise WorkerConfigError(f"{FOLDER}: {error}") from error
    return IndependentWitness(
        folder=folder,
        keepers=keepers,
        sealed=SealedLedgers(aws.s3, settings.bucket),
        passwords=passwords,
        names=Names(settings.resolver),
        now=clock.now,
    )


@contextmanager
def kept(keepers: Sequence[Keeper]) -> Iterator[None]:
    """Keep the ledgers meanwhile, whether or not Temporal answers: they must cover the time before."""
    for keeper in keepers:
        keeper.start()
    try:
        yield
    finally:
        for keeper in keepers:
            keeper.leave()
        for keeper in keepers:
            keeper.join()


def _connect(passwords: Passwords) -> Connect:
    def connect(spec: LedgerSpec) -> Database:
        return Database(spec.host, spec.port, spec.database, spec.user, passwords.read(spec.password))

    return connect
