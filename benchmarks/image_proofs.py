"""What it takes to prove an image: verifying bundles, and measuring what its snapshots hold."""

import asyncio
import base64
import gc
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import boto3
from bench import Row, command, middle, up
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from steadfleet_activities.fleet.clients import client_config
from steadfleet_activities.image.attesting.content import AT_ONCE, content_of
from steadfleet_signing import publickey
from steadfleet_signing.ami import Disk
from steadfleet_signing.signers import LocalKeySigner
from steadfleet_signing.statement import CYCLONEDX, SLSA_PROVENANCE, Statement, Subject
from steadfleet_signing.trust import TrustMaterial, TrustPolicy
from steadfleet_signing.verify import verify_bundle

if TYPE_CHECKING:
    from mypy_boto3_ebs.client import EBSClient

PAIRS = 11
SLICE = 0.3
"""Seconds that each side of a pair works."""
BUILDER = "https://steadfleet.dev/builders/benchmark"
PACKAGES = 233
"""Of the local cloud's base image, a small Debian: binary and source packages."""
BLOCK = 512 * 1024
MIB = 1 << 20
CONTENT = 192 * MIB


def verifying() -> list[Row]:
    """Pair each kind of bundle with bare verifications of the same signature, on one core."""
    pen = LocalKeySigner(ec.generate_private_key(ec.SECP256R1()))
    trust = trusting(pen)
    small = pen.sign(provenance())
    large = pen.sign(sbom())
    with one_core():
        return [
            *_verified("provenance", small, pen, trust),
            *_verified(f"SBOM of {PACKAGES} packages", large, pen, trust),
        ]


def _verified(kind: str, bundle: bytes, pen: LocalKeySigner, trust: TrustMaterial) -> list[Row]:
    signature, message = pen.public_key, b"x" * 600
    signed = pen._sign(message)  # noqa: SLF001 - the bare signature, without its envelope

    def bare() -> None:
        signature.verify(signed, message, ec.ECDSA(hashes.SHA256()))

    ours, ratios = [], []
    for _ in range(PAIRS):
        alone = per_second(bare)
        ours.append(per_second(lambda: verify_bundle(bundle, trust)))
        ratios.append(ours[-1] / alone)
    what = f"{kind}, {len(bundle) / 1024:,.0f} KiB"
    return [
        Row("bundles verified a second, one core", what, middle(ours)),
        Row("the same, over bare P-256 verifications", what, middle(ratios)),
    ]


def per_second(work: Callable[[], object]) -> float:
    gc.collect()
    began, done = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < SLICE:
        work()
        done += 1
    return done / took


@contextmanager
def one_core() -> Iterator[None]:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def trusting(pen: LocalKeySigner) -> TrustMaterial:
    key = {"name": "benchmark", "pem": publickey.to_pem(pen.public_key), "builders": [BUILDER]}
    said = {
        "apiVersion": "steadfleet.dev/v1",
        "kind": "TrustPolicy",
        "metadata": {"name": "benchmark"},
        "spec": {"environment": "prod", "builders": [BUILDER], "keys": [key]},
    }
    return TrustMaterial.of(TrustPolicy.model_validate(said))


def provenance() -> bytes:
    dependency = {"name": "base", "uri": "ami-0123456789abcdef0", "digest": {"sha256": "0" * 64}}
    said = {
        "buildDefinition": {
            "buildType": "https://steadfleet.dev/build-types/golden-image/v1",
            "externalParameters": {"family": "web", "version": "1.4.2", "template": "web.pkr.hcl"},
            "resolvedDependencies": [dependency],
        },
        "runDetails": {
            "builder": {"id": BUILDER},
            "metadata": {
                "invocationId": "default/image/web/1.4.2",
                "startedOn": "2026-06-01T12:00:00Z",
                "finishedOn": "2026-06-01T12:20:00Z",
            },
        },
    }
    return stated(SLSA_PROVENANCE, said)


def sbom() -> bytes:
    """Describe packages as a small Debian's are, whose SBOM has 200,190 bytes."""
    names = [f"pkg:deb/debian/package-{number}@1.2.3-4?arch=amd64" for number in range(PACKAGES)]
    components = [
        {
            "bom-ref": name,
            "description": "what it is for, in a few words " * 4,
            "group": "debian",
            "name": f"package-{number}",
            "purl": name,
            "supplier": {"contact": [{"email": "people@example.org"}], "name": "Who package it"},
            "externalReferences": [{"type": "website", "url": f"https://example.org/package-{number}"}],
            "type": "library",
            "version": "1.2.3-4",
        }
        for number, name in enumerate(names)
    ]
    needs = [{"ref": name, "dependsOn": names[number : number + 6]} for number, name in enumerate(names)]
    said = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components, "dependencies": needs}
    return stated(CYCLONEDX, said)


def stated(kind: str, said: dict[str, Any]) -> bytes:
    subject = Subject(name="web 1.4.2", digest={"sha256": hashlib.sha256(b"web").hexdigest()})
    return Statement(subjects=(subject,), predicate_type=kind, predicate=said).canonical()


async def measuring() -> list[Row]:
    """Pair the content digest of a snapshot with SHA-256 of the file that it holds."""
    with up("cloud", machines="process") as environment, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "image" / "content"
        file.parent.mkdir()
        (file.parent / "run.py").touch()
        await asyncio.to_thread(write_content, file)
        disk = await asyncio.to_thread(registered, environment, file.parent)
        api = client("ebs", environment)
        memory = cast("EBSClient", InMemory(file))
        local = [await rates(api, disk, file) for _ in range(PAIRS // 2)]
        handed = [await rates(memory, disk, file) for _ in range(PAIRS // 2)]
    what = f"{CONTENT // MIB} MiB, {AT_ONCE} blocks at once"
    return [
        Row("MB/s of the content digest, through the EBS API", f"{what}, local cloud", speeds(local)),
        Row("the same over reading and hashing the file", f"{what}, local cloud", ratios(local)),
        Row("MB/s of the content digest, blocks handed over", f"{what}, in memory", speeds(handed)),
        Row("the same over reading and hashing the file", f"{what}, in memory", ratios(handed)),
    ]


async def rates(ebs: "EBSClient", disk: Disk, file: Path) -> tuple[float, float]:
    """Return MB/s of the content digest, and of hashing the file, one after the other."""
    began = time.perf_counter()
    await content_of(ebs, [disk], lambda _said: None)
    between = time.perf_counter()
    with file.open("rb") as content:
        hashlib.file_digest(content, "sha256")
    ended = time.perf_counter()
    return CONTENT / 1e6 / (between - began), CONTENT / 1e6 / (ended - between)


def speeds(found: list[tuple[float, float]]) -> str:
    return middle([ours for ours, _ in found])


def ratios(found: list[tuple[float, float]]) -> str:
    return middle([ours / alone for ours, alone in found])


def write_content(file: Path) -> None:
    with file.open("wb") as content:
        for _ in range(CONTENT // MIB):
            content.write(os.urandom(MIB))


def registered(environment: dict[str, str], folder: Path) -> Disk:
    image = command("local-cloud", "image", "register", "measured", "--from", str(folder), env=environment)
    [found] = client("ec2", environment).describe_images(ImageIds=[image])["Images"]
    [mapping] = found["BlockDeviceMappings"]
    return Disk(mapping["DeviceName"], mapping["Ebs"]["SnapshotId"])


def client(service: str, environment: dict[str, str]) -> Any:
    made: Any = boto3.client(  # type: ignore[call-overload]
        service,
        config=client_config(AT_ONCE, at_endpoint=True),
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    return made


class InMemory:
    """An EBS that costs nothing: what is left is our own work."""

    def __init__(self, file: Path) -> None:
        content = file.read_bytes()
        self._blocks = [content[at : at + BLOCK] for at in range(0, len(content), BLOCK)]
        self._checksums = [base64.b64encode(hashlib.sha256(one).digest()).decode() for one in self._blocks]

    def list_snapshot_blocks(self, **_asked: object) -> dict[str, Any]:
        listed = [{"BlockIndex": index, "BlockToken": ""} for index in range(len(self._blocks))]
        return {"Blocks": listed, "BlockSize": BLOCK, "VolumeSize": 8}

    def get_snapshot_block(self, *, BlockIndex: int, **_asked: object) -> dict[str, Any]:  # noqa: N803 - AWS's
        data = SimpleNamespace(read=lambda: self._blocks[BlockIndex])
        return {"BlockData": data, "Checksum": self._checksums[BlockIndex]}
