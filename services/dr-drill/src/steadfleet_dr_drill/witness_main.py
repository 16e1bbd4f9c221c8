"""The witness: a process apart from the worker that recovers, with a clock and ledgers of its own.

Run it where the users of a service are, not where the service is recovered: it sees what they see.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

from steadfleet_activities.configuring import aws_configured
from steadfleet_activities.drill.witness.clock import WitnessClock
from steadfleet_activities.drill.witness.databases import Database
from steadfleet_activities.drill.witness.folder import WitnessFolder
from steadfleet_activities.drill.witness.journal import Journal
from steadfleet_activities.drill.witness.keeper import Connect, Keeper
from steadfleet_activities.drill.witness.ledgers import Ledgers, LedgerWatch
from steadfleet_activities.drill.witness.passwords import Passwords, SsmParameters
from steadfleet_activities.drill.witness.resolving import Names
from steadfleet_activities.drill.witness.sealing import SealedLedgers
from steadfleet_activities.drill.witness.spec import LedgerSpec
from steadfleet_activities.drill.witness.witness import IndependentWitness
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.tracing import trace_aws_calls
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
    trace_aws_calls()
    witness, ledgers = adapter(settings)
    with kept(settings, ledgers):
        await serve(NAME, task_queue=NAME, activities=register(witness), settings=settings.worker)


def adapter(
    settings: WitnessSettings, env: Mapping[str, str] | None = None
) -> tuple[IndependentWitness, Ledgers]:
    """Build what stands behind the port, and the ledgers that it asks: none is kept yet.

    Raises `WorkerConfigError` where a setting cannot be right.
    """
    given = os.environ if env is None else env
    with aws_configured():
        aws = Aws.from_environment(given, slots=settings.worker.max_concurrent_activities)
    clock = WitnessClock()
    passwords = Passwords(SsmParameters(aws.ssm), given)
    with _refused_by(FOLDER):
        folder = WitnessFolder.taken(settings.folder)

    def keeper(spec: LedgerSpec) -> Keeper:
        return Keeper(spec, Journal(folder.ledger(spec.name)), clock.now, _connect(passwords))

    ledgers = Ledgers(keeper)
    witness = IndependentWitness(
        folder=folder,
        keepers=ledgers,
        sealed=SealedLedgers(aws.s3, settings.bucket),
        passwords=passwords,
        names=Names(settings.resolver),
        now=clock.now,
    )
    return witness, ledgers


@contextmanager
def kept(settings: WitnessSettings, ledgers: Ledgers) -> Iterator[None]:
    """Keep the ledgers meanwhile, whether or not Temporal answers: they must cover the time before."""
    watch = LedgerWatch(settings.ledgers_file, ledgers) if settings.ledgers_file else None
    try:
        with _refused_by(FOLDER):
            ledgers.keep(settings.ledgers)
        if watch:
            watch.start()
        yield
    finally:
        if watch:
            watch.leave()
        ledgers.leave()


@contextmanager
def _refused_by(setting: str) -> Iterator[None]:
    try:
        yield
    except RefusedError as error:
        raise WorkerConfigError(f"{setting}: {error}") from error


def _connect(passwords: Passwords) -> Connect:
    def connect(spec: LedgerSpec) -> Database:
        return Database(spec.host, spec.port, spec.database, spec.user, passwords.read(spec.password))

    return connect
