"""What the tests of signing and verifying images stand on: two regions, a signer, and what it reads."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import boto3
from temporalio.testing import ActivityEnvironment

from fakes.trust import BUILDER, new_signer, trusted_key, trusting
from steadfleet_activities.fleet.clients import client_config
from steadfleet_activities.image import tags
from steadfleet_activities.image.amis import specifications
from steadfleet_activities.image.attesting.amis import AmiArtifacts
from steadfleet_activities.image.attesting.s3_store import S3Attestations
from steadfleet_activities.image.attesting.signer import MeasuringSigner
from steadfleet_activities.image.attesting.stores import Shelf
from steadfleet_activities.image.attesting.verifier import ImageVerifier
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.examining.findings import Found, Stored, TestRecord
from steadfleet_activities.image.store import ImageStore, Kept
from steadfleet_core.image.golden import BuildSpec, Publish, Region
from steadfleet_core.image.order import Base, Build, BuiltImage, Platform
from steadfleet_core.image.report import CheckResult, Examination, GateReport, TestVerdict
from steadfleet_core.model import Digest, canonical, digest_of
from steadfleet_local_cloud import LocalCloud
from steadfleet_ports.image import (
    AttestationRequest,
    Attested,
    ImageDecision,
    ImageReference,
    ImageVerification,
    Publication,
    PublishedCopy,
)
from steadfleet_ports.image import Signer as ImageSigner
from steadfleet_signing.signers import LocalKeySigner, Signer
from steadfleet_signing.trust import TrustMaterial, TrustPolicy

RELEASES = Path(__file__).parents[4] / "examples" / "web"
HOME: Final = "eu-west-1"
AWAY: Final = "us-east-1"
RUN = "image-web-1.4.2-019a0000-0000-7000-8000-00000000000a"
BUCKET = "steadfleet-plans"
BUNDLES = "steadfleet-attestations"
BEGAN = datetime(2026, 11, 21, 12, tzinfo=UTC)
BOM = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "library", "name": "zlib1g"}]}


@dataclass
class Studio:
    """A local cloud of two regions, a signer with a key of its own, and a build to sign for."""

    cloud: LocalCloud
    pen: LocalKeySigner = field(default_factory=new_signer)

    def __post_init__(self) -> None:
        self.regions = AwsRegions(**self.cloud.client_settings)
        self.s3 = self.regions.s3
        there = {bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]}
        for bucket in {BUCKET, BUNDLES} - there:
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": HOME})
        self.store = ImageStore(self.s3, BUCKET)
        # Without retries of its own: what one lost answer does can be seen.
        once = boto3.client(
            "s3", config=client_config(10, attempts=1, at_endpoint=True), **self.cloud.client_settings
        )
        self.attestations = S3Attestations(once, BUNDLES)
        self.shelf = Shelf(AmiArtifacts(self.regions), self.attestations)
        self.sources = self.store.put(Kept.SOURCES, b"sources")
        self.log = self.store.put(Kept.LOG, b"packer said this")
        self.signer = self.signer_with(self.pen)

    def signer_with(
        self, pen: Signer, own: TrustMaterial | None = None, builder: str = BUILDER
    ) -> MeasuringSigner:
        own = own or TrustMaterial.of(self.policy("dev"))
        return MeasuringSigner(pen, own, builder, self.store, {Platform.AWS: self.shelf})

    # -- what there is to sign

    def build(self, run: str = RUN) -> Build:
        return Build(
            family="web",
            version="1.4.2",
            run=run,
            platform=Platform.AWS,
            region=HOME,
            sources=self.sources,
            template="web.pkr.hcl",
            base=Base(id="ami-0123456789abcdef0", name="debian-12-base"),
            key=digest_of(b"key"),
            packer_version="1.11.2",
            expires_at=BEGAN + timedelta(hours=8),
        )

    def image(self, release: str = "good-1.0", run: str = RUN, **given: str) -> str:
        """Make an image as packer and its keeper leave one."""
        build = self.build(run)
        marks = tags.temporary(build) | {tags.KEY: build.key} | given
        return self.cloud.register_image(f"{build.image_name}-{release}", RELEASES / release, marks)

    def copy(self, image: str, region: str = AWAY) -> str:
        """Copy an image to another region, and wait until it is there."""
        ec2 = self.regions.at(region).ec2
        marks = {tags.RUN: RUN, tags.KEY: self.build().key}
        copied = ec2.copy_image(
            Name="copy",
            SourceImageId=image,
            SourceRegion=HOME,
            TagSpecifications=specifications(marks, "image"),
        )["ImageId"]
        while ec2.describe_images(ImageIds=[copied])["Images"][0]["State"] != "available":
            pass
        return copied

    def publication(self, image: str, place: str = HOME, run: str = RUN) -> Publication:
        built = BuiltImage(id=image, log=self.log, started_at=BEGAN, ended_at=BEGAN + timedelta(minutes=3))
        return Publication(build=self.build(run), image=built, place=Region(name=place), publish=Publish())

    def examination(
        self, image: str, *, verdict: TestVerdict = TestVerdict.PASSED, sbom: bool = True, run: str = RUN
    ) -> Examination:
        """Store what trying an image leaves."""
        result = CheckResult(name="answers", type="http", verdict=verdict, seconds=1.5)
        stored = Stored(result=result, found=Found(verdict=verdict))
        record = TestRecord(image=image, machine="i-1", run=run, checks=(stored,))
        return Examination(
            results=(result,),
            tests=self.store.put(Kept.TESTS, canonical(record)),
            sbom=self.store.put(Kept.SBOM, json.dumps(BOM).encode()) if sbom else None,
            components=1,
            machine="i-1",
            started_at=BEGAN + timedelta(minutes=3),
            ended_at=BEGAN + timedelta(minutes=5),
        )

    def request(self, image: str, *, place: str = HOME, copy: str = "", **fields: Any) -> AttestationRequest:
        spec = {"template": "web.pkr.hcl", "base": {"name": "debian-12-base"}, "variables": {"size": "small"}}
        defaults: dict[str, Any] = {
            "publication": self.publication(image, place),
            "copy_id": copy or image,
            "order": digest_of(b"order"),
            "invocation": f"default/image/web/1.4.2/{RUN}",
            "examination": self.examination(image),
            "gate": GateReport(),
            "provenance": True,
            "spec": BuildSpec.model_validate(spec),
        }
        return AttestationRequest(**{**defaults, **fields})

    # -- what is done with it

    async def attest(self, request: AttestationRequest, signer: ImageSigner | None = None) -> Attested:
        return await ActivityEnvironment().run((signer or self.signer).attest_image, request)

    async def signed(self, release: str = "good-1.0") -> str:
        """Give an image that was signed as a build signs it."""
        image = self.image(release)
        await self.attest(self.request(image))
        return image

    def policy(self, environment: str, **spec: Any) -> TrustPolicy:
        keys = spec.pop("keys", [trusted_key(self.pen)])
        return trusting(*keys, environment=environment, **spec)

    def verifier(self, environment: str = "prod", **spec: Any) -> ImageVerifier:
        return ImageVerifier(TrustMaterial.of(self.policy(environment, **spec)), {Platform.AWS: self.shelf})

    async def verify(
        self, image: str, environment: str = "prod", *, place: str = "", deep: bool = False, **spec: Any
    ) -> ImageDecision:
        reference = ImageReference(id=image, place=place)
        return await self.verifier(environment, **spec).verify_image(
            ImageVerification(image=reference, deep=deep)
        )

    # -- what lies beside an image

    def copy_of(self, image: str, place: str = HOME) -> PublishedCopy:
        return PublishedCopy(place=place, id=image)

    def keys(self, image: str) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=BUNDLES, Prefix=f"ami/{image}/")
        return [one["Key"] for one in found.get("Contents", [])]

    def bundles(self, image: str) -> list[bytes]:
        return [self.s3.get_object(Bucket=BUNDLES, Key=key)["Body"].read() for key in self.keys(image)]

    def leave(self, image: str, bundle: bytes, name: Digest = "") -> None:
        """Put a bundle beside an image, as whoever may write to the bucket can."""
        digest = (name or digest_of(bundle)).removeprefix("sha256:")
        self.s3.put_object(Bucket=BUNDLES, Key=f"ami/{image}/{digest}.sigstore.json", Body=bundle)
