"""A whole local cloud, as one object."""

from __future__ import annotations

import fcntl
import logging
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from steadfleet_local_cloud.account_limits import AccountLimits
from steadfleet_local_cloud.amis import Amis
from steadfleet_local_cloud.auto_scaling import AutoScaling
from steadfleet_local_cloud.blocks import Blocks
from steadfleet_local_cloud.context import Context
from steadfleet_local_cloud.control import Control
from steadfleet_local_cloud.copies import Copies
from steadfleet_local_cloud.databases import Databases
from steadfleet_local_cloud.dry_run import DryRun
from steadfleet_local_cloud.ebs import Ebs
from steadfleet_local_cloud.ec2 import Ec2, register_base
from steadfleet_local_cloud.errors import LocalCloudError, StateTakenError
from steadfleet_local_cloud.faults import Fault, Faults, Release
from steadfleet_local_cloud.ground import Driver, Site, lay_ground
from steadfleet_local_cloud.hosts import Hosts
from steadfleet_local_cloud.inventory import Inventories, Inventory, open_region
from steadfleet_local_cloud.kms import Kms
from steadfleet_local_cloud.load_balancers import LoadBalancers
from steadfleet_local_cloud.machines import Machine
from steadfleet_local_cloud.moto_state import environment, reset_moto
from steadfleet_local_cloud.network import AUTO
from steadfleet_local_cloud.object_lock import ObjectLock
from steadfleet_local_cloud.patches import Patches
from steadfleet_local_cloud.rds import Rds
from steadfleet_local_cloud.record import Entry, Record
from steadfleet_local_cloud.resolver import Resolver
from steadfleet_local_cloud.route53 import Route53
from steadfleet_local_cloud.run_command import RunCommand
from steadfleet_local_cloud.server import Application, Server
from steadfleet_local_cloud.target_health import TargetHealth
from steadfleet_local_cloud.user_data import UserData
from steadfleet_local_cloud.vpcs import Vpcs

_log = logging.getLogger(__name__)
_LOAD_AMIS = "MOTO_EC2_LOAD_DEFAULT_AMIS"
DEFAULT_REGION = "eu-west-1"


class LocalCloud:
    """
    An AWS endpoint on loopback with a real machine behind every instance.

    moto's state is global to the process, so there is one at a time; when it closes, its
    fleet is gone. `probe_scale` shortens the interval between health probes (AWS allows
    no less than 5 s); timeouts and thresholds stay as the target group says. `region` is the
    only one that has machines, or the first of `regions` is home. Without
    `client_tokens` every launch launches, which tests the caller's own look before it creates.
    The copy of an image is pending for the first `pending_describes` descriptions of it.
    """

    _open: ClassVar[bool] = False

    def __init__(
        self,
        *,
        state: Path | None = None,
        machines: Literal["process", "docker", "none", "auto"] = "process",
        region: str = DEFAULT_REGION,
        regions: Sequence[str] = (),
        port: int = 0,
        resolver_port: int = 0,
        network: str = AUTO,
        seed: int = 0,
        probe_scale: float = 1.0,
        client_tokens: bool = True,
        pending_describes: int = 1,
    ) -> None:
        self._closing = ExitStack()
        try:
            self._claim()
            folder = self._state_folder(state)
            context = self._build(folder, machines, _checked(regions or (region,)), network, seed)
            self._context = replace(context, client_tokens=client_tokens)
            self._install(probe_scale, pending_describes, resolver_port)
            self._server = Server(Application(self._context, self._control), port)
            self._closing.callback(self._server.close)
            self._closing.callback(self._context.faults.close)  # a held call would keep the server waiting
            self._server.start()
        except BaseException:
            self._closing.close()
            raise
        told = {"state": str(folder), "resolver": "{}:{}".format(*self.resolver)}
        _log.info("local cloud (not AWS) at %s", self.endpoint, extra={"fields": told})

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def resolver(self) -> tuple[str, int]:
        """The address and port, of UDP and TCP, where DNS answers by the hosted zones."""
        return self._resolver.address

    @property
    def region(self) -> str:
        """The home region, the first."""
        return self._context.region

    @property
    def regions(self) -> tuple[str, ...]:
        """Those that have machines."""
        return tuple(self._context.networks)

    @property
    def client_settings(self) -> dict[str, Any]:
        """What boto3.client() needs to talk to this cloud's home, whatever the environment says."""
        return self.client_settings_for(self.region)

    def client_settings_for(self, region: str) -> dict[str, Any]:
        """Give what boto3.client() needs to talk to one region."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": region,
            "aws_access_key_id": "local",
            "aws_secret_access_key": "local",
        }

    @property
    def faults(self) -> Faults:
        """The faults in force: to look at and to wait for; `add_fault` and `clear_faults` change them."""
        return self._context.faults

    def add_fault(self, kind: str, **options: Any) -> Fault:
        """Begin a fault: `add_fault("lost", action="RunInstances", count=1)`."""
        return self._control.add_fault(kind, **options)

    def release(self, fault: Fault, then: Release = "continue") -> int:
        """Let the calls that a hold fault holds go on, or with `drop` cut them off."""
        return self._context.faults.release(fault.id, then)

    def clear_faults(self, fault: Fault | None = None) -> None:
        self._control.clear_faults(fault.id if fault else None)

    def register_image(
        self, name: str, folder: Path, tags: dict[str, str] | None = None, region: str | None = None
    ) -> str:
        """Make an image from a folder with a program `run` or `run.py`, at home or in a region; its id."""
        return self._control.register_image(name, folder, tags or {}, region)

    def tamper_image(self, image_id: str) -> int:
        """Flip a bit of one byte of what the image's snapshot holds, another byte each time; its place."""
        return self._control.tamper_image(image_id)

    def limit(self, what: str, most: int) -> None:
        """Let an account have at most so many `DBInstances`, `AutoScalingGroups` and the like."""
        self._limits.most[what] = most

    def record(self, since: int = 0) -> list[Entry]:
        return self._context.record.since(since)

    def inventory(self) -> Inventory:
        return self._control.inventory()

    def machines(self) -> list[dict[str, object]]:
        return self._control.machines()

    def close(self) -> None:
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _claim(self) -> None:
        if LocalCloud._open:
            raise LocalCloudError(
                "a local cloud is open in this process already: close it, or use another process"
            )
        LocalCloud._open = True
        self._closing.callback(_release_claim)

    def _state_folder(self, state: Path | None) -> Path:
        if state is None:
            return Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="local-cloud-")))
        state = state.absolute()
        state.mkdir(parents=True, exist_ok=True)
        lock = self._closing.enter_context((state / "lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateTakenError(
                f"{state} is in use by another local cloud: stop that one, "
                "or choose another folder with --state DIR"
            ) from error
        return state

    def _build(self, folder: Path, machines: str, regions: Sequence[str], network: str, seed: int) -> Context:
        record = Record(folder / "record.jsonl")
        self._closing.callback(record.close)

        def note(event: str, machine: Machine, details: dict[str, object]) -> None:
            record.append(
                "machine", event=event, instance=machine.order.instance_id, **_facts(machine), **details
            )

        ground = lay_ground(Driver(machines), Site(folder, regions, network, note), self._closing)
        return Context(
            ground=ground,
            networks=ground.networks,
            images=ground.images,
            blocks=Blocks(folder / "blocks", ground.images),
            machines=ground.machines,
            databases=Databases(folder / "databases", ground.networks),
            faults=Faults(seed),
            record=record,
            hosts=Hosts(),
            real=ground.driver is not Driver.NONE,
            lock=threading.RLock(),
        )

    def _install(self, probe_scale: float, pending_describes: int, resolver_port: int) -> None:
        patches = Patches()
        self._closing.callback(patches.undo)
        self._closing.enter_context(environment(_LOAD_AMIS, "false"))  # AWS's own images have no content
        self._closing.callback(reset_moto)
        reset_moto()
        inventories = Inventories(self._context, patches)  # before any backend is made
        Ec2(self._context, patches)
        Amis(self._context, patches)
        Copies(self._context, patches, pending_describes)
        Ebs(self._context, patches)
        Kms(patches)
        ObjectLock(patches)
        AutoScaling(self._context, patches)
        if self._context.real:
            self._closing.callback(Rds(self._context, patches).close)
            self._limits = AccountLimits(patches, lambda: self._context.databases.programs.version)
        self._closing.callback(RunCommand(self._context, patches).close)
        health = TargetHealth(self._context, patches, probe_scale)
        self._closing.callback(health.close)
        self._closing.callback(LoadBalancers(self._context, patches, health).close)
        Vpcs(patches)
        UserData(patches)
        context = self._context
        self._resolver = Resolver(
            context.hosts, resolver_port, context.region_of, context.faults.strike_question
        )
        self._closing.callback(self._resolver.close)
        Route53(patches, context.hosts, self._resolver)
        DryRun(patches)
        self._control = Control(self._context, inventories, self._resolver.address)
        for region in self._context.networks:
            open_region(region)
            register_base(self._context, region)


def _release_claim() -> None:
    LocalCloud._open = False  # noqa: SLF001 - our own


def _facts(machine: Machine) -> dict[str, object]:
    order = machine.order
    return {
        "address": order.address,
        "region": order.zone[:-1],
        "zone": order.zone,
        "image": order.image_id,
        "boot_id": machine.boot_id,
    }


def _checked(regions: Sequence[str]) -> tuple[str, ...]:
    known = RegionsAndZonesBackend.zones
    for region in regions:
        if region not in known:
            raise LocalCloudError(f"there is no region {region!r}: write it like {DEFAULT_REGION}")
    if len(set(regions)) < len(regions):
        raise LocalCloudError(f"a region is named twice: {', '.join(regions)}")
    return tuple(regions)
