"""What the tests of signing at registries stand on: one registry, a signer and verifiers that know it."""

import json
from dataclasses import dataclass
from typing import Any

from integration.image.attesting.studio import Studio
from temporalio.testing import ActivityEnvironment

from fakes.registry import FakeRegistry, Manifest, Repository, digest_of
from fakes.trust import BUILDER
from steadfleet_activities.image.attesting.manifests import OciArtifacts
from steadfleet_activities.image.attesting.referrers import INDEX, MANIFEST, OciAttestations
from steadfleet_activities.image.attesting.signer import MeasuringSigner
from steadfleet_activities.image.attesting.stores import Shelf
from steadfleet_activities.image.attesting.verifier import ImageVerifier
from steadfleet_activities.image.oci import Registries, passing_tag
from steadfleet_core.image.golden import Publish, Region
from steadfleet_core.image.order import Build, Platform
from steadfleet_ports.image import (
    AttestationRequest,
    Attested,
    ImageDecision,
    ImageReference,
    ImageVerification,
    Publication,
    PublishedCopy,
)
from steadfleet_signing.trust import TrustMaterial

CONFIG = b'{"architecture":"amd64","os":"linux"}'


@dataclass
class Harbour:
    """A registry with images, and a signer and verifiers that know it."""

    studio: Studio
    registry: FakeRegistry

    def __post_init__(self) -> None:
        registries = Registries({"HOME": "/nonexistent"})
        self.store = OciAttestations(registries)
        self.shelf = Shelf(OciArtifacts(registries), self.store)
        own = TrustMaterial.of(self.studio.policy("dev"))
        shelves = {Platform.DOCKER: self.shelf}
        self.signer = MeasuringSigner(self.studio.pen, own, BUILDER, self.studio.store, shelves)

    @property
    def place(self) -> str:
        return f"{self.registry.host}/golden"

    def build(self) -> Build:
        return self.studio.build().model_copy(update={"platform": Platform.DOCKER, "region": "docker"})

    def image(self, layer: bytes = b"a layer") -> str:
        """Push an image as a build does; give its reference by digest."""
        return self.add(image_manifest(layer), CONFIG, layer)

    def index(self, *layers: bytes) -> str:
        """Push an image for several platforms."""
        manifests = [image_manifest(layer) for layer in layers]
        for one, layer in zip(manifests, layers, strict=True):
            self.registry.add("golden/web", one.digest.replace(":", "."), one, CONFIG, layer)
        fields = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [one.descriptor() for one in manifests],
        }
        return self.add(Manifest(INDEX, json.dumps(fields).encode()))

    def add(self, manifest: Manifest, *blobs: bytes) -> str:
        return self.registry.add("golden/web", passing_tag(self.build()), manifest, *blobs)

    def publication(self) -> Publication:
        image = self.studio.publication("sha256:" + "1" * 64).image
        return Publication(build=self.build(), image=image, place=Region(name=self.place), publish=Publish())

    def request(self, copy: str, **fields: Any) -> AttestationRequest:
        publication = self.publication()
        examination = self.studio.examination(publication.image.id)
        given = {"publication": publication, "examination": examination, **fields}
        return self.studio.request("", copy=copy, **given)

    async def attest(self, request: AttestationRequest) -> Attested:
        return await ActivityEnvironment().run(self.signer.attest_image, request)

    async def verify(
        self, image: str, environment: str = "prod", *, deep: bool = True, **spec: Any
    ) -> ImageDecision:
        trust = TrustMaterial.of(self.studio.policy(environment, **spec))
        verifier = ImageVerifier(trust, {Platform.DOCKER: self.shelf})
        reference = ImageReference(platform=Platform.DOCKER, id=image)
        return await verifier.verify_image(ImageVerification(image=reference, deep=deep))

    def copy(self, image: str) -> PublishedCopy:
        return PublishedCopy(place=self.place, id=image)

    @property
    def repository(self) -> Repository:
        return self.registry.repositories["golden/web"]


def image_manifest(layer: bytes) -> Manifest:
    fields = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", CONFIG),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    }
    return Manifest(MANIFEST, json.dumps(fields).encode())


def descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}
