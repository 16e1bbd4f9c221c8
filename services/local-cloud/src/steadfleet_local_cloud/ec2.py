"""Instances and images: what moto answers, a machine does."""

from __future__ import annotations

import base64
import copy
from pathlib import Path
from typing import Any

from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import AmiBackend
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.models.vpcs import VPCBackend

from steadfleet_local_cloud.amis import refuse_name, refuse_unavailable
from steadfleet_local_cloud.context import ACCOUNT, Context
from steadfleet_local_cloud.errors import ContentError
from steadfleet_local_cloud.images import check_content
from steadfleet_local_cloud.machines import Order
from steadfleet_local_cloud.patches import Patches
from steadfleet_local_cloud.user_data import asked_for, decoded

# moto's stand-in for a missing token; botocore always sends one
_KEY_TYPES = ("ssh-", "ecdsa-", "sk-")
_NO_TOKEN = "ABCDE"  # noqa: S105


class Ec2:
    """Wrap moto's EC2 so that its effects reach the machines."""

    def __init__(self, context: Context, patches: Patches) -> None:
        self._context = context
        self._launched: dict[tuple[str, str], Any] = {}  # region and client token → reservation
        patches.wrap(VPCBackend, "create_default_vpc", self._create_default_vpc)
        patches.wrap(InstanceBackend, "run_instances", self._run_instances)
        patches.wrap(Instance, "terminate", self._terminate)
        patches.wrap(Instance, "stop", self._stop)
        patches.wrap(Instance, "start", self._start)
        patches.wrap(Instance, "reboot", self._reboot)
        patches.replace(Instance, "instance_status", property(self._status))
        patches.wrap(AmiBackend, "create_image", self._create_image)

    def _create_default_vpc(self, original: Any, backend: Any) -> Any:
        """Make the machines' network the region's default VPC, with one subnet a zone."""
        network = self._context.networks.get(backend.region_name)
        if network is None:
            return original(backend)
        vpc = backend.create_vpc(str(network.cidr), is_default=True)
        vpc.add_tags({"Name": "local-cloud"})
        zones = [zone.name for zone in backend.describe_availability_zones()]
        for zone, cidr in network.subnets(zones).items():
            subnet = backend.create_subnet(vpc.id, str(cidr), availability_zone=zone)
            subnet.default_for_az = "true"
            subnet.add_tags({"Name": f"local-cloud-{zone}"})
        return vpc

    def _run_instances(self, original: Any, backend: Any, image_id: str, *rest: Any, **options: Any) -> Any:
        _refuse_key(backend, options)
        token = options.get("client_token") if self._context.client_tokens else None
        asked = backend.region_name, str(token)
        if token and token != _NO_TOKEN and asked in self._launched:
            return self._launched[asked]
        decoded(asked_for(backend, rest[1] if len(rest) > 1 else None, options))  # or it is refused
        subnet = _subnet(backend, options)
        self._refuse(backend, image_id or _template_image(backend, options), subnet)
        if subnet is not None and not options.get("nics"):
            options["subnet_id"] = subnet.id  # without one, moto gives an address outside every network
        reservation = original(backend, image_id, *rest, **options)
        if token and token != _NO_TOKEN:
            self._launched[asked] = reservation
        adopted = {nic.get("NetworkInterfaceId") for nic in options.get("nics") or []}
        for instance in reservation.instances:
            _end_with_instance(instance, adopted)
            _tag_interfaces(instance, adopted, (options.get("tags") or {}).get("network-interface", {}))
        self._boot(reservation.instances)
        return reservation

    def _boot(self, instances: list[Any]) -> None:
        try:
            for one in instances:
                key = _public_key(one.ec2_backend, one.key_name)
                order = Order(
                    one.id, one.image_id, one.private_ip, one.placement.zone, key, decoded(one.user_data)
                )
                self._context.machines.boot(order, self._next_boot(one))
        except Exception:
            for one in instances:
                one.terminate()  # no instance without a machine
            raise

    def _refuse(self, backend: Any, image_id: str, subnet: Any) -> None:
        """Refuse a launch that could only be pretended."""
        zone = subnet.availability_zone if subnet is not None else ""
        if self._context.faults.is_dark(zone):
            raise EC2ClientError(
                "InsufficientInstanceCapacity",
                f"We currently do not have sufficient capacity in the zone you requested ({zone}).",
            )
        if not self._context.real:
            return
        if image_id not in backend.amis:
            raise InvalidAMIIdError(image_id or "")
        refuse_unavailable(backend.amis[image_id])
        if image_id not in self._context.images:
            raise EC2ClientError(
                "InvalidAMIID.Unavailable",
                f"The image id '[{image_id}]' has no content in this local cloud: register one with "
                "`local-cloud image register NAME --from FOLDER`",
            )
        network = self._context.networks.get(backend.region_name)
        if network is None or subnet is None or not network.has_room_for(subnet.cidr):
            homes = ", ".join(f"{region}: {one.cidr}" for region, one in self._context.networks.items())
            raise EC2ClientError("Unsupported", f"This local cloud's machines live in {homes}.")

    def _terminate(self, original: Any, instance: Any) -> Any:
        if instance.state == "terminated":
            return copy.copy(instance.instance_state)
        self._context.machines.terminate(instance.id)
        before = original(instance)
        instance._private_ips.clear()  # noqa: SLF001 - or moto frees it twice
        return before

    def _stop(self, original: Any, instance: Any) -> Any:
        _refuse_state(instance, "terminated")
        if instance.state == "running":
            self._context.machines.stop(instance.id)
        return original(instance)

    def _start(self, original: Any, instance: Any) -> Any:
        _refuse_state(instance, "terminated")
        if instance.state == "stopped":
            self._context.machines.start(instance.id, self._next_boot(instance))
        return original(instance)

    def _reboot(self, original: Any, instance: Any) -> Any:
        _refuse_state(instance, "terminated", "stopped")
        self._context.machines.reboot(instance.id, self._next_boot(instance))
        return original(instance)

    def _status(self, instance: Any) -> dict[str, Any]:
        """Answer the instance's status check from its machine."""
        if instance.state != "running":
            return {"Status": "not-applicable"}
        status, reachability = self._context.machines.status_check(instance.id)
        return {"Status": status, "Details": [{"Name": "reachability", "Status": reachability}]}

    def _next_boot(self, instance: Any) -> Any:
        return self._context.faults.strike_boot(instance.placement.zone, instance.image_id)

    def _create_image(
        self, original: Any, backend: Any, instance_id: str, name: str, *rest: Any, **options: Any
    ) -> Any:
        refuse_name(backend, name)
        _refuse_state(backend.get_instance(instance_id), "terminated")
        # moto cannot tag the snapshot, which newer clients ask for
        specifications = options.pop("tag_specifications")
        snapshot = [spec for spec in specifications if spec["ResourceType"] == "snapshot"]
        others = [spec for spec in specifications if spec["ResourceType"] != "snapshot"]
        ami = original(backend, instance_id, name, *rest, tag_specifications=others, **options)
        for spec in snapshot:
            ami.ebs_snapshot.add_tags({tag["Key"]: tag["Value"] for tag in spec["Tags"]})
        try:
            if self._context.machines.freeze(instance_id, ami.id):
                self._context.blocks.hold(ami.ebs_snapshot.id, ami.id)
        except Exception:
            backend.deregister_image(ami.id)  # no image without what its machine had
            backend.delete_snapshot(ami.ebs_snapshot.id)
            raise
        return ami


def register_image(context: Context, backend: Any, name: str, folder: Path, tags: dict[str, str]) -> str:
    """Make an image whose content is a copy of the folder; its id."""
    check_content(folder)
    with context.lock:
        if any(ami.name == name for ami in backend.amis.values()):
            raise ContentError(
                f"there is an image named {name!r} already: deregister it or choose another name"
            )
        ami = backend.register_image(name, f"registered from {folder.name}")
        ami.add_tags({"Name": name} | tags)
        context.images.add(ami.id, folder)
        context.blocks.hold(ami.ebs_snapshot.id, ami.id)
        return str(ami.id)


def register_base(context: Context, region: str) -> None:
    """Give a region the image that machines of whole systems begin with, if the driver has one."""
    if not context.ground.base:
        return
    backend = ec2_backends[ACCOUNT][region]
    ami = backend.register_image(context.ground.base, "the base image of this local cloud's machines")
    ami.launch_permissions.append({"Group": "all"})
    context.ground.add_base(ami.id)
    context.blocks.hold(ami.ebs_snapshot.id, ami.id)


def _public_key(backend: Any, name: str | None) -> str:
    """Read a key pair's public half, which a client that imported it may have sent in base64."""
    if not name:
        return ""
    material = backend.key_pairs[name].material_public
    text = material.decode() if isinstance(material, bytes) else str(material)
    if not text.startswith(_KEY_TYPES):
        text = base64.b64decode(text).decode()
    return text.strip()


def _subnet(backend: Any, options: dict[str, Any]) -> Any:
    """Find the subnet that a launch would be in: its own, its interface's, or its zone's default."""
    for nic in options.get("nics") or []:
        if "NetworkInterfaceId" in nic:
            return backend.get_network_interface(nic["NetworkInterfaceId"]).subnet
        if "SubnetId" in nic:
            return backend.get_subnet(nic["SubnetId"])
    if options.get("subnet_id"):
        return backend.get_subnet(options["subnet_id"])
    zone = options.get("placement") or f"{backend.region_name}a"
    return backend.get_default_subnets().get(zone)


def _template_image(backend: Any, options: dict[str, Any]) -> str:
    template = options.get("launch_template")
    if not template:
        return ""
    return str(backend._get_template_from_args(template).image_id or "")  # noqa: SLF001 - as moto finds it


def _refuse_key(backend: Any, options: dict[str, Any]) -> None:
    name = options.get("key_name")
    if not name and options.get("launch_template"):
        name = backend._get_template_from_args(options["launch_template"]).data.get("KeyName")  # noqa: SLF001 - as moto finds it
    if name and name not in backend.key_pairs:
        raise EC2ClientError("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")


def _end_with_instance(instance: Any, adopted: set[str | None]) -> None:
    """Let the interfaces that the launch made go with the instance, as on AWS; moto would leave them."""
    for nic in instance.nics.values():
        if nic.id not in adopted:
            nic.delete_on_termination = True


def _tag_interfaces(instance: Any, adopted: set[str | None], tags: dict[str, str]) -> None:
    """Tag the interfaces that the launch made, if it says so; moto tags instances and volumes only."""
    for nic in instance.nics.values():
        if tags and nic.id not in adopted:
            nic.add_tags(tags)


def _refuse_state(instance: Any, *states: str) -> None:
    if instance.state in states:
        raise EC2ClientError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is {instance.state}: this cannot be done to it.",
        )
