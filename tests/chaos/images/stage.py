"""A whole stack that builds real images, and whose workers can be killed: packer, Docker, two regions."""

import asyncio
import base64
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
from chaos.images.building import ENDED_WITHIN, Building
from chaos.images.machine import missing, require
from chaos.moments import APP, Moment, Stop
from chaos.stage import Killable, connected, ready, replaced
from temporalio.client import Client

from fakes.residue import STORED, Grounds, Holdings, Kept, residue
from steadfleet_cli.parts import BUCKETS, OTHER_REGION, REGION, Addresses, stack
from steadfleet_cli.trust import make_trust
from steadfleet_core.image.golden import GoldenImage as Contract
from steadfleet_core.image.order import ImageOrder
from steadfleet_core.image.sources import pack
from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.errors import BaseImageError, EngineError
from steadfleet_ports.lease import Residue, lease_id
from steadfleet_workflows.image import GoldenImage

TEMPLATE = Path(__file__).parents[2] / "integration" / "image" / "building" / "template"
HOME, AWAY = REGION, OTHER_REGION
WORKERS = ("builder", "signer", "janitor")
STATEMENTS = 3
"""That are signed for each copy: provenance, test results, SBOM."""

_SETTINGS = {
    "STEADFLEET_HEARTBEAT_TIMEOUT": "2s",
    "STEADFLEET_MAX_HEARTBEAT_THROTTLE": "1s",
    "STEADFLEET_LEASE_TERM": "4s",
}
_ADVISORIES = {
    "none.json": [],
    "ours.json": [
        {
            "id": "DSA-0000-1",
            "affected": [
                {
                    "package": {"ecosystem": "Debian:12", "name": "openssh"},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
                }
            ],
            "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        }
    ],
}


@dataclass
class Stage:
    """The cloud in our process, all else as processes of their own. One build at a time."""

    cloud: LocalCloud
    client: Client
    workers: dict[str, Killable]
    scratch: Path
    sources: Path
    before: Holdings = field(default_factory=dict)
    builds: int = 0
    published: list[Kept] = field(default_factory=list)

    @property
    def grounds(self) -> Grounds:
        return Grounds(self.cloud, self.client, (self.scratch,), docker=True, runs="image-drill-*")

    def ec2(self, region: str = HOME) -> Any:
        return boto3.client("ec2", **self.cloud.client_settings_for(region))

    async def start(self, **spec: Any) -> Building:
        """Look at all that there is, and begin to build."""
        self.before = await self.grounds.holdings()
        self.builds += 1
        order = self.order(f"drill-{self.builds}", **spec)
        handle = await self.client.start_workflow(
            GoldenImage.run, order, id=order.workflow_id, task_queue="image-build"
        )
        building = Building(handle, order.image.family)
        await building.status()
        return building

    async def stopped(self, moment: Moment, **spec: Any) -> tuple[Building, Stop]:
        """Begin to build, and stop at the moment."""
        stop = Stop(self.cloud, moment)
        try:
            building = await self.start(**spec)
            reached, ended = asyncio.create_task(stop.reached()), asyncio.create_task(building.ended())
            await asyncio.wait({reached, ended}, return_when=asyncio.FIRST_COMPLETED)
            assert not ended.done(), f"it never came to {moment}: {ended.result()}"
            ended.cancel()
            await reached
        except BaseException:
            stop.let_go("drop")
            raise
        return building, stop

    def order(self, family: str, *, signed: bool = False, gate: str = "", **spec: Any) -> ImageOrder:
        gates: dict[str, Any] = {"sbom": bool(gate or signed), "signature": signed, "provenance": signed}
        if gate:
            gates["vulnerabilities"] = {"advisories": f"{gate}.json", "severity": "high"}
        image = Contract.model_validate(
            {
                "apiVersion": "steadfleet.dev/v1",
                "kind": "GoldenImage",
                "metadata": {"name": family},
                "spec": {
                    "version": "1.0.0",
                    "build": {
                        "template": "web.pkr.hcl",
                        "files": ["setup.sh"],
                        "base": {"name": "debian-*-base"},
                        "variables": spec.pop("variables", {}),
                        "timeLimit": "5m",
                    },
                    "gates": gates,
                    "publish": {"regions": [{"name": HOME}, {"name": AWAY}], "attempts": 2},
                    **spec,
                },
            }
        )
        sources = base64.b64encode(pack(self.sources, image.files)).decode()
        return ImageOrder(image=image, sources=sources, requested_by="chaos")

    # -- what became of it

    async def lease_of(self, building: Building) -> Residue:
        """Await the end of the build's lease: what it had to take away is in `removed`."""
        handle = self.client.get_workflow_handle(lease_id(building.run), result_type=Residue)
        async with asyncio.timeout(ENDED_WITHIN.total_seconds()):
            residue: Residue = await handle.result()
        return residue

    async def residue(self, kept: Iterable[Kept] = ()) -> tuple[str, ...]:
        return residue(self.before, await self.grounds.holdings(), [*STORED, *kept])

    def released(self, building: Building) -> dict[str, list[str]]:
        """Return the images that carry the family, by region."""
        found: dict[str, list[str]] = {}
        for image in self.cloud.inventory()["images"]:
            if image["tags"].get("steadfleet:family") == building.family:
                found.setdefault(image["region"], []).append(image["id"])
        return found

    def made(self, building: Building, kind: str) -> list[str]:
        """Return the ids of what carries the tag of the run."""
        return [
            one["id"]
            for one in self.cloud.inventory()[kind]
            if one["tags"].get("steadfleet:run") == building.run
        ]

    def forget(self, image: str, region: str) -> None:
        """Take away an image that a test registered, and what it held."""
        (snapshot,) = [one["snapshot"] for one in self.cloud.inventory()["images"] if one["id"] == image]
        self.ec2(region).deregister_image(ImageId=image)
        self.ec2(region).delete_snapshot(SnapshotId=snapshot)

    def keep(self, building: Building) -> list[Kept]:
        """Name what a published image consists of, and remember it."""
        images = [one for ids in self.released(building).values() for one in ids]
        snapshots = [one["snapshot"] for one in self.cloud.inventory()["images"] if one["id"] in images]
        why = "it is published"
        kept = [
            *(Kept(kind, image, why) for image in images for kind in ("images", "content")),
            *(Kept("snapshots", snapshot, why) for snapshot in snapshots),
            *(Kept("docker_images", rf"local-cloud-.*:{image}", why) for image in images),
            *(Kept("objects", rf"{BUCKETS[1]}/ami/{image}/.*", why) for image in images),
        ]
        self.published += kept
        return kept

    def statements_of(self, image: str) -> int:
        prefix = f"{BUCKETS[1]}/ami/{image}/"
        return sum(one["id"].startswith(prefix) for one in self.cloud.inventory()["objects"])

    def kill_packer(self) -> None:
        """SIGKILL packer's process group: nothing can prepare for it. Known by the folder it runs in."""
        groups = {os.getpgid(pid) for pid in _pids() if self._is_packer(pid)}
        assert groups, "packer does not run"
        for group in groups:
            os.killpg(group, signal.SIGKILL)

    def _is_packer(self, pid: int) -> bool:
        try:
            program = Path(f"/proc/{pid}/exe").readlink().name
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        return program == "packer" and f"HOME={self.scratch}/".encode() in environment


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


@asynccontextmanager
async def staged(
    *, client_tokens: bool = True, programs: Mapping[str, Path] | None = None
) -> AsyncIterator[Stage]:
    """Set the stage; `programs` are other programs than the services, by the name of the worker."""
    require("docker", "packer")
    # pytest's own folders have paths too long for packer's sockets.
    with TemporaryDirectory(prefix="sf-") as name, _cloud(Path(name), client_tokens) as cloud:
        folder = Path(name)
        make_trust(folder)
        s3 = boto3.client("s3", **cloud.client_settings)
        for bucket in BUCKETS:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        addresses = Addresses.free()
        parts = {part.name: part for part in stack(addresses, folder)}
        engine = Killable(parts["engine"], folder / "engine.log")
        scratch = folder / "tmp"
        scratch.mkdir()
        settings = {**addresses.environment, "AWS_ENDPOINT_URL": cloud.endpoint, "TMPDIR": str(scratch)}
        workers = {
            worker: Killable(
                replaced(parts[worker], (programs or {}).get(worker)),
                folder / f"{worker}.log",
                {**settings, **_SETTINGS, APP: worker},
            )
            for worker in WORKERS
        }
        try:
            engine.start()
            client = await connected(engine.part, addresses)
            for worker in workers.values():
                worker.start()
            for worker in workers.values():
                await ready(worker)
            yield Stage(cloud, client, workers, scratch, _sources(folder))
        finally:
            for process in (*workers.values(), engine):
                process.stop()


def _cloud(folder: Path, client_tokens: bool) -> LocalCloud:  # noqa: FBT001 - as the cloud has it
    try:
        return LocalCloud(
            state=folder / "cloud", machines="docker", regions=(HOME, AWAY), client_tokens=client_tokens
        )
    except (EngineError, BaseImageError) as error:
        missing(f"a Docker engine and the base image ({error})")
        raise


def _sources(folder: Path) -> Path:
    sources = folder / "sources"
    shutil.copytree(TEMPLATE, sources)
    for name, advisories in _ADVISORIES.items():
        (sources / name).write_text(json.dumps(advisories))
    return sources
