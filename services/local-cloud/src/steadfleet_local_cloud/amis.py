"""Images and their snapshots where moto differs from AWS in what callers can see."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ebs.models import ebs_backends
from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.responses.amis import AmisResponse

from steadfleet_local_cloud.blocks import Blocks
from steadfleet_local_cloud.context import ACCOUNT, Context
from steadfleet_local_cloud.patches import Patches

_DEFAULT_VOLUME_SIZE = 8  # GiB
_DEFAULT_VOLUME_TYPE = "gp3"


class Amis:
    """Wrap moto's images: what they are described as, and what goes with them when they go."""

    def __init__(self, context: Context, patches: Patches) -> None:
        self._blocks: Blocks = context.blocks
        patches.wrap(Ami, "__init__", _init)
        patches.replace(Ami, "block_device_mappings", property(_block_device_mappings))
        patches.wrap(AmiBackend, "describe_image_attribute", _describe_attribute)
        patches.wrap(AmisResponse, "deregister_image", _deregister)
        patches.wrap(AmiBackend, "deregister_image", self._deregister)
        patches.wrap(EBSBackend, "delete_snapshot", self._delete_snapshot)
        patches.wrap(EBSBackend, "copy_snapshot", self._copy_snapshot)

    def _deregister(self, original: Any, backend: Any, ami_id: str) -> None:
        original(backend, ami_id)
        self._blocks.deregister(ami_id)

    def _delete_snapshot(self, original: Any, backend: Any, snapshot_id: str) -> Any:
        gone = original(backend, snapshot_id)
        ebs_backends[ACCOUNT][backend.region_name].snapshots.pop(
            snapshot_id, None
        )  # if written block by block
        self._blocks.drop(snapshot_id)
        return gone

    def _copy_snapshot(
        self, original: Any, backend: Any, source_snapshot_id: str, *rest: Any, **options: Any
    ) -> Any:
        snapshot = original(backend, source_snapshot_id, *rest, **options)
        self._blocks.copy_snapshot(source_snapshot_id, snapshot.id)
        return snapshot


def refuse_unavailable(image: Any) -> None:
    """Refuse the use of an image that is pending, failed or disabled."""
    if image.state != "available":
        raise EC2ClientError(
            "InvalidAMIID.Unavailable", f"The image id '[{image.id}]' is not available: it is {image.state}."
        )


def refuse_name(backend: Any, name: str) -> None:
    """Refuse a name that another image of the region has."""
    taken = next((ami.id for ami in backend.amis.values() if ami.name == name), None)
    if taken:
        raise EC2ClientError("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {taken}")


def _init(original: Any, image: Any, *args: Any, **options: Any) -> None:
    """Say what every image made here is, and how large: moto leaves it out, or says 15 GiB of all."""
    original(image, *args, **options)
    image.root_device_type = "ebs"
    image.virtualization_type = image.virtualization_type or "hvm"
    image.architecture = image.architecture or "x86_64"
    image.hypervisor = image.hypervisor or "xen"
    image.ena_support = True
    snapshot, source = image.ebs_snapshot, _source_volume(options)
    snapshot.volume.size = source.size if source else _DEFAULT_VOLUME_SIZE
    snapshot.volume.volume_type = source.volume_type if source else _DEFAULT_VOLUME_TYPE
    if source and source.encrypted:
        snapshot.encrypted, snapshot.kms_key_id = True, source.kms_key_id


def _source_volume(options: dict[str, Any]) -> Any:
    if instance := options.get("instance"):
        root = instance.block_device_mapping.get(instance.root_device_name)
        return instance.ec2_backend.volumes.get(root.volume_id) if root else None
    if image := options.get("source_ami"):
        return image.ebs_snapshot.volume
    return None


def _block_device_mappings(image: Any) -> list[dict[str, Any]]:
    snapshot = image.ebs_snapshot
    disk = {
        "SnapshotId": snapshot.id,
        "VolumeSize": snapshot.volume_size,
        "VolumeType": snapshot.volume.volume_type,
        "DeleteOnTermination": True,
        "Encrypted": snapshot.encrypted,
    }
    return [{"DeviceName": image.root_device_name, "Ebs": disk}]


def _describe_attribute(original: Any, backend: Any, ami_id: str, attribute_name: str) -> Any:
    if ami_id not in backend.amis:
        raise InvalidAMIIdError(ami_id)
    return original(backend, ami_id, attribute_name)


def _deregister(original: Any, response: Any) -> Any:
    """Delete the snapshot along, if asked: moto does not."""
    backend = response.ec2_backend
    image = backend.amis.get(response._get_param("ImageId"))  # noqa: SLF001 - how moto's own actions read theirs
    answer = original(response)
    if image is None or not response._get_param("DeleteAssociatedSnapshots"):  # noqa: SLF001 - as above
        return answer
    backend.delete_snapshot(image.ebs_snapshot.id)
    deleted = [{"SnapshotId": image.ebs_snapshot.id, "ReturnCode": "success"}]
    return ActionResult({"Return": True, "DeleteSnapshotResults": deleted})
