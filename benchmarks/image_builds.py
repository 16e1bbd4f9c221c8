"""Whole builds of an image beside packer alone: the same template, sources, base and machines."""

import asyncio
import base64
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree, which
from typing import Any

import boto3
from bench import HERE, Row, middle, up
from temporalio.client import Client, WorkflowHandle

from steadfleet_core.image.golden import GoldenImage as Contract
from steadfleet_core.image.order import ImageOrder
from steadfleet_core.image.report import ImageReport, ImageState
from steadfleet_core.image.sources import pack
from steadfleet_durable import data_converter
from steadfleet_workflows.image import GoldenImage

EXAMPLES = HERE.parent / "examples"
TEMPLATE = "image/web.pkr.hcl"
FILES = ("image/install.sh", "image/web.service", "web/good-2.0")
PARTS = ("engine", "cloud", "builder", "janitor")
PACKER = ("packer", "build", "-color=false", "-machine-readable", "-on-error=cleanup")
LATEST = "2030-01-01T00:00:00+00:00"

_CHUNK = "head -c 33554432 /dev/urandom | gzip -1 >/var/tmp/work && sha256sum </var/tmp/work >/var/tmp/sum"
_WORK = f"""\
variable "chunks" {{
  type = string
}}

build {{
  sources = ["source.amazon-ebs.web"]

  provisioner "shell" {{
    inline = [
      "for chunk in $(seq ${{var.chunks}}); do {_CHUNK}; done",
      "rm /var/tmp/work /var/tmp/sum",
    ]
  }}
"""

PHASES = {
    "resolving": ("prepare_build",),
    "lease": ("open_lease", "close_lease"),
    "fresh machine": ("examine_image",),
    "publishing": ("publish_image", "release_image"),
}


def missing() -> str | None:
    """Name what whole builds cannot be measured without."""
    for program in ("packer", "docker"):
        if which(program) is None:
            return program
    answers = subprocess.run(("docker", "info"), capture_output=True, check=False).returncode == 0
    return None if answers else "a Docker engine that answers"


@dataclass
class Yard:
    """Engine, local cloud and workers as `steadfleet up` starts them, and a folder of sources."""

    client: Client
    environment: dict[str, str]
    folder: Path
    variables: dict[str, str]
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1_000)))

    async def ours(self) -> "Ours":
        """Build it whole: one region, no checks, no SBOM, no signature; a fresh machine is booted anyhow."""
        order = self.order()
        began = time.perf_counter()
        handle = await self.client.start_workflow(
            GoldenImage.run, order, id=order.workflow_id, task_queue="image-build"
        )
        report = await handle.result()
        took = time.perf_counter() - began
        if report.status.state is not ImageState.PUBLISHED:
            raise RuntimeError(f"{order.workflow_id} ended {report.status.state}: {report.status.reason}")
        return Ours(took, await phases(handle, report, took))

    async def alone(self) -> float:
        """Run packer as a person would, with a security group and a key that were made before."""
        number = f"{self.folder.name}-alone-{next(self.numbers)}"
        given = self.variables | self.mine | {"image_name": number, "run": number}
        (self.folder / "given.json").write_text(json.dumps(given))
        return await asyncio.to_thread(self._packer)

    def _packer(self) -> float:
        with tempfile.TemporaryDirectory(prefix="alone-") as home:
            folders = dict.fromkeys(("HOME", "TMPDIR", "PACKER_CONFIG_DIR"), home)
            began = time.perf_counter()
            ran = subprocess.run(
                [*PACKER, "-var-file=given.json", TEMPLATE],
                cwd=self.folder,
                env={**self.environment, **folders, "CHECKPOINT_DISABLE": "1"},
                capture_output=True,
                text=True,
                check=False,
            )
            took = time.perf_counter() - began
        if ran.returncode:
            raise RuntimeError(f"packer alone failed: {ran.stdout[-2000:]}{ran.stderr}")
        return took

    @property
    def mine(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.folder / "mine.json").read_text())
        return found

    def order(self) -> ImageOrder:
        said = {
            "apiVersion": "steadfleet.dev/v1",
            "kind": "GoldenImage",
            "metadata": {"name": self.folder.name},
            "spec": {
                "version": f"1.0.{next(self.numbers)}",
                "build": {
                    "template": TEMPLATE,
                    "files": FILES,
                    "base": {"id": self.variables["base_image"]},
                    "variables": self.mine,
                },
                "gates": {"sbom": False, "signature": False, "provenance": False},
            },
        }
        image = Contract.model_validate(said)
        sources = base64.b64encode(pack(self.folder, image.files)).decode()
        return ImageOrder(image=image, sources=sources, requested_by="benchmark")


@dataclass(frozen=True)
class Ours:
    """Seconds of one whole build, and where they went."""

    took: float
    phases: dict[str, float]


async def phases(handle: WorkflowHandle[Any, Any], report: ImageReport, took: float) -> dict[str, float]:
    """Divide a build by its own history; what no activity took is the engine's and the workflow's."""
    activities: dict[str, float] = {}
    scheduled = {}
    async for event in handle.fetch_history_events():
        if event.HasField("activity_task_scheduled_event_attributes"):
            name = event.activity_task_scheduled_event_attributes.activity_type.name
            scheduled[event.event_id] = (name, event.event_time.ToDatetime())
        elif event.HasField("activity_task_completed_event_attributes"):
            of = event.activity_task_completed_event_attributes.scheduled_event_id
            name, since = scheduled[of]
            spent = (event.event_time.ToDatetime() - since).total_seconds()
            activities[name] = activities.get(name, 0.0) + spent
    built = report.status.built
    if built is None:
        raise RuntimeError("a published image was built")
    packer = (built.ended_at - built.started_at).total_seconds()
    found = {phase: sum(activities[name] for name in names) for phase, names in PHASES.items()}
    found |= {"packer": packer, "around packer": activities["build_image"] - packer}
    return {**found, "workflow and engine": took - sum(activities.values())}


@asynccontextmanager
async def yards() -> AsyncIterator[tuple[Yard, Yard]]:
    """Give two yards on one stack: the example's template, and one with a minute of work in it."""
    with up(*PARTS, machines="docker") as environment, tempfile.TemporaryDirectory() as folder:
        client = await Client.connect(environment["TEMPORAL_ADDRESS"], data_converter=data_converter())
        variables = await asyncio.to_thread(door, environment, Path(folder))
        plain = Yard(client, environment, sources(Path(folder) / "plain"), variables)
        working = Yard(client, environment, sources(Path(folder) / "working", work=True), variables)
        yield plain, working


def sources(folder: Path, *, work: bool = False) -> Path:
    for name in ("image", "web/good-2.0"):
        copytree(EXAMPLES / name, folder / name)
    template = folder / TEMPLATE
    text = template.read_text()
    if work:
        template.write_text(text.replace('build {\n  sources = ["source.amazon-ebs.web"]\n', _WORK))
    (folder / "mine.json").write_text(json.dumps({"chunks": str(chunks_a_minute())} if work else {}))
    return folder


def chunks_a_minute() -> int:
    """Say how much work is a minute's on this machine, now: then it is the same for both."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run(_CHUNK.replace("/var/tmp", folder), shell=True, check=True)
        return max(1, round(60 / (time.perf_counter() - began)))


def door(environment: dict[str, str], folder: Path) -> dict[str, str]:
    """Make once what packer alone needs, and give all variables of the template but the build's own."""
    region, endpoint = environment["AWS_REGION"], environment["AWS_ENDPOINT_URL"]
    ec2 = boto3.client(
        "ec2",
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    [base] = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-*-base"]}])["Images"]
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.create_security_group(GroupName="alone", Description="alone", VpcId=subnet["VpcId"])
    key = folder / "key"
    key.touch(0o600)
    key.write_text(ec2.create_key_pair(KeyName="alone", KeyType="ed25519")["KeyMaterial"])
    return {
        "base_image": base["ImageId"],
        "expires_at": LATEST,
        "security_group_id": group["GroupId"],
        "ssh_keypair_name": "alone",
        "ssh_private_key_file": str(key),
        "region": region,
        "endpoint": endpoint,
        "vpc_id": subnet["VpcId"],
        "subnet_id": subnet["SubnetId"],
    }


async def measured(yard: Yard, pairs: int) -> tuple[list[float], list[Ours]]:
    """Alternate, and begin with the other each time: what drifts, drifts for both. The first warms up."""
    alone, ours = [], []
    for pair in range(pairs + 1):
        if pair % 2:
            ours.append(await yard.ours())
            alone.append(await yard.alone())
        else:
            alone.append(await yard.alone())
            ours.append(await yard.ours())
    return alone[1:], ours[1:]


async def whole_builds(pairs: int) -> list[Row]:
    async with yards() as (plain, working):
        short = await measured(plain, pairs)
        long = await measured(working, pairs)
    return [
        *rows("a template of seconds", *short),
        *rows("one with a minute of work", *long, aim=1.1),
    ]


def rows(what: str, alone: list[float], ours: list[Ours], aim: float | None = None) -> list[Row]:
    ratio = statistics.median(one.took for one in ours) / statistics.median(alone)
    trial = [one.took - one.phases["fresh machine"] for one in ours]
    untried = statistics.median(trial) / statistics.median(alone)
    within = [one.took / one.phases["packer"] for one in ours]
    added = statistics.median(one.took for one in ours) - statistics.median(alone)
    bound = ("≤ 1.1", ratio <= aim) if aim else ("", None)
    return [
        Row("packer alone, seconds", what, middle(alone)),
        Row("a whole build, seconds", what, middle([one.took for one in ours])),
        Row("a whole build over packer alone, of medians", what, f"{ratio:.2f} (+{added:.1f} s)", *bound),
        Row("the same, without the machine that tries it", what, f"{untried:.2f}"),
        Row("a whole build over packer's part of the same", what, middle(within)),
        Row("where a whole build's seconds go", what, spent(ours)),
    ]


def spent(ours: list[Ours]) -> str:
    medians = {phase: statistics.median(one.phases[phase] for one in ours) for phase in ours[0].phases}
    return ", ".join(
        f"{phase} {seconds:.1f}" for phase, seconds in sorted(medians.items(), key=lambda one: -one[1])
    )
