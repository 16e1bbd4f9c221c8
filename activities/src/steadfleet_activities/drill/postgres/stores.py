"""Recover PostgreSQL servers of one's own on this host: from a backup, or by promoting a live copy."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import ValidationError
from temporalio import activity

from steadfleet_activities.drill.docker.networks import GATEWAY, SUBNET
from steadfleet_activities.drill.drivers import Facts, FoundStore, Inspected, Say, Store, StoreDriver
from steadfleet_activities.drill.postgres.backups import Backup
from steadfleet_activities.drill.postgres.folders import claim, drill_folder, held, remove_run
from steadfleet_activities.drill.postgres.inspecting import (
    Site,
    Wanted,
    inspect_backup,
    inspect_host,
    inspect_source,
)
from steadfleet_activities.drill.postgres.integrity import damage_told, read_all, write_probe
from steadfleet_activities.drill.postgres.points import point_of
from steadfleet_activities.drill.postgres.programs import Programs
from steadfleet_activities.drill.postgres.replicating import Source, promote, replicate
from steadfleet_activities.drill.postgres.restoring import Restore, restore
from steadfleet_activities.drill.postgres.server import Server, writable
from steadfleet_activities.drill.secrets import Secrets
from steadfleet_core.drill.order import ResolvedStore
from steadfleet_core.drill.plan import ContainerService, PostgresStore, Strategy
from steadfleet_core.drill.report import Finding
from steadfleet_core.drill.steps import StepKind
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Model
from steadfleet_durable import unbroken
from steadfleet_ports.drill import DrillInspection, DrillPreparation, StepRequest
from steadfleet_ports.lease import Owner

LOOPBACK = "127.0.0.1"
_HOST = "worker_host"


class _Done(Model):
    """What a step made that is over: a later attempt returns it."""

    facts: Facts


class PostgresStores(StoreDriver):
    """Every copy is a server of its run's on this host, which nothing but `discard` ends.

    It listens on loopback; one that containers depend on listens in the drill's own network, and for that
    network alone.
    """

    def __init__(self, secrets: Secrets, programs: Programs, folder: Path, address: str = LOOPBACK) -> None:
        self._secrets = secrets
        self._site = Site(programs, folder, address)

    @classmethod
    def from_environment(cls, secrets: Secrets, env: Mapping[str, str] = os.environ) -> Self:
        """Read STEADFLEET_POSTGRES_BIN and STEADFLEET_DRILL_FOLDER."""
        return cls(secrets, Programs.from_environment(env), drill_folder(env))

    async def resolve(self, store: Store, preparation: DrillPreparation) -> FoundStore:
        postgres, spec = _checked(store), preparation.order.plan.spec
        place = f"{postgres.host}:{postgres.port}"
        resolved = ResolvedStore(
            name=postgres.name,
            source=f"{place}/{postgres.database}",
            engine="postgres",
            copy_id=f"{preparation.run}/{postgres.name}",
        )
        if spec.strategy is Strategy.BACKUP_RESTORE:
            backup = await unbroken(_backup_of, postgres)
            point = await point_of(backup, spec.recovery_point, preparation.at, self._site.programs)
            found = {"engine": f"postgres {backup.label.major or ''}".strip(), "point": point}
            resolved = resolved.model_copy(update={**found, "point_id": str(backup.folder)})
        return FoundStore(resolved, production=(place,))

    async def inspect(self, store: Store, inspection: DrillInspection) -> Inspected:
        postgres, spec = _checked(store), inspection.drill.plan.spec
        live = spec.strategy is not Strategy.BACKUP_RESTORE
        step = f"{StepKind.REPLICATE if live else StepKind.RESTORE} {postgres.name}"
        host = await unbroken(inspect_host, self._site, inspection.drill.run, step)
        try:
            password = await unbroken(self._secrets.read, postgres.password, inspection.drill.region)
            if live:
                return host + await inspect_source(self._site, Source(postgres, password), step)
            backup = await unbroken(_backup_of, postgres)
            wanted = Wanted(spec.recovery_point, inspection.at, spec.objectives.rpo)
            return host + await inspect_backup(self._site, backup, wanted, step)
        except RefusedError as error:
            return host + Inspected((Finding(what=str(error), blocks=True, predicts=step),))

    async def replicate(self, store: Store, request: StepRequest, say: Say) -> Facts:
        postgres = _checked(store)
        password = await unbroken(self._secrets.read, postgres.password, request.drill.region)
        server = self._server(postgres, request)
        with held(server.folder):
            # Once it is brought up it follows nobody, and must not be told to.
            if not _done_in(server):
                limit = postgres.restore_time_limit
                await replicate(server, Source(postgres, password), request.drill.run, limit, say)
            return self._facts(server)

    async def restore(self, store: Store, request: StepRequest, say: Say) -> Facts:
        postgres = _checked(store)
        live = request.drill.plan.spec.strategy is not Strategy.BACKUP_RESTORE
        if live:
            _same_host(postgres, request)
        server = self._server(postgres, request)
        with held(server.folder):
            if done := _done_in(server):
                await server.start(None)
                await server.until(writable, postgres.restore_time_limit, "it took writes again")
                return done | self._facts(server)
            facts = await (
                self._promote(server, postgres, say)
                if live
                else self._restore(server, postgres, request, say)
            )
            with damage_told():
                await write_probe(server)
                facts |= await read_all(server, say)
            server.programs.write(server.folder / "done.json", _Done(facts=facts).model_dump_json())
            return facts | self._facts(server)

    async def discard(self, run: str) -> bool:
        """Stop the run's servers on this host and remove their folder; False if there was nothing."""
        return await unbroken(remove_run, self._site.folder, run)

    async def _promote(self, server: Server, store: PostgresStore, say: Say) -> Facts:
        if not server.data.exists():
            raise RefusedError(
                f"{store.name} has no live copy on {socket.gethostname()}: expected the one that `replicate "
                f"{store.name}` made; let it be made again"
            )
        return await promote(server, store.restore_time_limit, say)

    async def _restore(self, server: Server, store: PostgresStore, request: StepRequest, say: Say) -> Facts:
        point = request.drill.store(store.name).point
        latest = request.drill.plan.spec.recovery_point.latest
        backup = await unbroken(_backup_of, store)
        until, promised = (None, point) if latest else (point, None)
        return await restore(server, Restore(backup, until, promised, store.restore_time_limit), say)

    def _server(self, store: PostgresStore, request: StepRequest) -> Server:
        site = self._site
        folder = claim(site.folder, request.drill.run, store.name, _owner(), site.programs)
        if not _asked_by_containers(store, request):
            return Server(folder, site.programs, site.address, store.user)
        # This host's address in the network of the drill's containers, which reach nothing else of it.
        network = request.made[str(StepKind.ISOLATE)]
        return Server(folder, site.programs, network[GATEWAY], store.user, callers=network[SUBNET])

    def _facts(self, server: Server) -> Facts:
        endpoint = server.endpoint
        return {"host": endpoint.host, "port": str(endpoint.port), _HOST: socket.gethostname()}


def _checked(store: Store) -> PostgresStore:
    if not isinstance(store, PostgresStore):
        raise RefusedError(f"store {store.name} is of type {store.type}: expected postgres")
    return store


def _asked_by_containers(store: PostgresStore, request: StepRequest) -> bool:
    services = request.drill.plan.spec.services
    return any(isinstance(one, ContainerService) and store.name in one.depends_on for one in services)


def _backup_of(store: PostgresStore) -> Backup:
    """Blocks: the label and the archive are read here, once."""
    if store.backup is None:
        raise RefusedError(
            f"store {store.name} has no backup: expected one with the strategy backup-restore; name its "
            "folder, or use pilot-light"
        )
    backup = Backup.at(store.backup)
    _ = backup.first
    return backup


def _same_host(store: PostgresStore, request: StepRequest) -> None:
    """Let another worker try, where the copy is on its host."""
    there = request.made.get(f"{StepKind.REPLICATE} {store.name}", {}).get(_HOST)
    if there not in {None, socket.gethostname()}:
        raise ElsewhereError(
            f"the live copy of {store.name} is on {there}, and this worker is on {socket.gethostname()}: one "
            f"of {there} must carry this out; run one drill worker, or all of them on one host"
        )


class ElsewhereError(Exception):
    """A copy that is on another host: a worker there can go on."""


def _done_in(server: Server) -> Facts | None:
    with suppress(OSError, ValueError, ValidationError):
        if server.data.exists():
            return _Done.model_validate_json((server.folder / "done.json").read_text()).facts
    return None


def _owner() -> Owner | None:
    if not activity.in_activity():
        return None
    info = activity.info()
    return (
        Owner(workflow=info.workflow_id or "", run=info.workflow_run_id or "") if info.workflow_id else None
    )
