"""Copies of images, within a region and across: content, tags, encryption and time as on AWS."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.responses.amis import AmisResponse
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.kms.models import kms_backends

from steadfleet_local_cloud.amis import refuse_name, refuse_unavailable
from steadfleet_local_cloud.context import ACCOUNT, Context
from steadfleet_local_cloud.patches import Patches


@dataclass(frozen=True)
class Request:
    """A CopyImage call, with what moto leaves unread."""

    name: str
    source_region: str
    source_id: str
    description: str
    copy_tags: bool
    encrypted: bool
    kms_key: str | None
    image_tags: tuple[tuple[str, str], ...]
    snapshot_tags: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, response: Any) -> Self:
        def parameter(name: str, default: Any = None) -> Any:
            return response._get_param(name, default)  # noqa: SLF001 - how moto's own actions read theirs

        tags = response._parse_tag_specification()  # noqa: SLF001 - as above
        return cls(
            name=parameter("Name"),
            source_region=parameter("SourceRegion"),
            source_id=parameter("SourceImageId"),
            description=parameter("Description", ""),
            copy_tags=bool(parameter("CopyImageTags")),
            encrypted=bool(parameter("Encrypted")),
            kms_key=parameter("KmsKeyId"),
            image_tags=tuple(sorted(tags.get("image", {}).items())),
            snapshot_tags=tuple(sorted(tags.get("snapshot", {}).items())),
        )


@dataclass
class Underway:
    """A copy that is pending until it was described so often and so much time has passed."""

    image: Any
    describes_left: int
    done_at: float
    outcome: str

    def note_describe(self) -> bool:
        """Count one description, and say whether the copy is done by then."""
        if self.describes_left == 0 and time.monotonic() >= self.done_at:
            return True
        self.describes_left = max(0, self.describes_left - 1)
        return False


class Copies:
    """Wrap moto's CopyImage, which knows no content, no tags, no encryption and no time."""

    def __init__(self, context: Context, patches: Patches, pending_describes: int) -> None:
        self._context = context
        self._pending_describes = pending_describes
        self._underway: dict[str, Underway] = {}  # by image
        self._asked: dict[tuple[str, str], tuple[Request, str]] = {}  # region and client token → image
        patches.wrap(AmisResponse, "copy_image", self._answer)
        patches.wrap(AmisResponse, "describe_images", self._describe_images)
        patches.wrap(ElasticBlockStore, "describe_snapshots", self._describe_snapshots)

    def _answer(self, _original: Any, response: Any) -> ActionResult:
        request = Request.read(response)
        backend = response.ec2_backend
        token = response._get_param("ClientToken") if self._context.client_tokens else None  # noqa: SLF001 - as above
        known = self._asked.get((backend.region_name, token)) if token else None
        if known is not None:
            if known[0] != request:
                raise EC2ClientError("IdempotentParameterMismatch", f"Token {token} was used otherwise.")
            return ActionResult({"ImageId": known[1]})
        source = _source(request)
        refuse_name(backend, request.name)
        response.error_on_dryrun()
        image = self._copy(backend, source, request)
        if token:
            self._asked[backend.region_name, token] = request, image.id
        return ActionResult({"ImageId": image.id})

    def _copy(self, backend: Any, source: Any, request: Request) -> Any:
        image = backend.copy_image(source.id, request.source_region, request.name, request.description)
        image.add_tags(_own_tags(source) if request.copy_tags else {})
        image.add_tags(dict(request.image_tags))
        image.ebs_snapshot.add_tags(dict(request.snapshot_tags))
        outcome = "available" if _encrypt(backend, image, source, request) else "failed"
        self._context.blocks.copy_image(source.id, source.ebs_snapshot.id, image.id, image.ebs_snapshot.id)
        self._begin(backend.region_name, source, image, outcome)
        return image

    def _begin(self, region: str, source: Any, image: Any, outcome: str) -> None:
        how = self._context.faults.strike_copy(region, source.id)
        if how.tampered:
            place = self._context.blocks.tamper(image.ebs_snapshot.id)
            self._context.record.append("image", event="tampered", region=region, image=image.id, byte=place)
        image.state = image.ebs_snapshot.status = "pending"
        done_at = time.monotonic() + how.delay.total_seconds()
        self._underway[image.id] = Underway(image, self._pending_describes, done_at, outcome)
        if not self._pending_describes and not how.delay:
            self._settle(image.id)

    def _describe_images(self, original: Any, response: Any) -> Any:
        asked = response._get_param("ImageIds", [])  # noqa: SLF001 - as above
        self._note_describes(one for one in self._here(response) if not asked or one.image.id in asked)
        return original(response)

    def _describe_snapshots(self, original: Any, response: Any) -> Any:
        asked = response._get_param("SnapshotIds", [])  # noqa: SLF001 - as above
        self._note_describes(
            one for one in self._here(response) if not asked or one.image.ebs_snapshot.id in asked
        )
        return original(response)

    def _here(self, response: Any) -> list[Underway]:
        return [one for one in self._underway.values() if one.image.ec2_backend is response.ec2_backend]

    def _note_describes(self, described: Iterable[Underway]) -> None:
        for one in list(described):
            if one.note_describe():
                self._settle(one.image.id)

    def _settle(self, image_id: str) -> None:
        one = self._underway.pop(image_id)
        one.image.state = one.outcome
        one.image.ebs_snapshot.status = "completed" if one.outcome == "available" else "error"


def _source(request: Request) -> Any:
    if request.source_region not in RegionsAndZonesBackend.zones:
        raise EC2ClientError("InvalidParameterValue", f"There is no region {request.source_region!r}.")
    if request.kms_key and not request.encrypted:
        raise EC2ClientError("InvalidParameterDependency", "KmsKeyId requires Encrypted to be set.")
    (source,) = ec2_backends[ACCOUNT][request.source_region].describe_images(ami_ids=[request.source_id])
    refuse_unavailable(source)
    return source


def _own_tags(image: Any) -> dict[str, str]:
    """Leave out the tags that AWS itself made."""
    return {tag["key"]: tag["value"] for tag in image.get_tags() if not tag["key"].startswith("aws:")}


def _encrypt(backend: Any, image: Any, source: Any, request: Request) -> bool:
    """
    Encrypt the copy as asked, or as its source is; false if there is no such key.

    AWS looks at the key after it has answered, too: then the copy fails.
    """
    snapshot, original = image.ebs_snapshot, source.ebs_snapshot
    if not (request.encrypted or original.encrypted):
        return True
    snapshot.encrypted = True
    snapshot.kms_key_id = _key_arn(backend, request.kms_key)
    return snapshot.kms_key_id is not None


def _key_arn(backend: Any, wanted: str | None) -> str | None:
    if wanted is None:
        return str(backend.default_kms_key_id or backend._create_default_encryption_key())  # noqa: SLF001 - as moto's volumes
    keys = kms_backends[ACCOUNT][backend.region_name]
    if wanted.startswith("arn:") and f":{backend.region_name}:" not in wanted:
        return None
    try:
        return str(keys.describe_key(wanted).arn)
    except (KeyError, AttributeError):  # moto's words for a key that is not there
        return None
