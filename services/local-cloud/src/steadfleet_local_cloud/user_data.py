"""User data: from a launch, a template's version or a group, as it was before it was encoded."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.utils import parse_user_data

from steadfleet_local_cloud.patches import Patches

_LIMIT = 16 * 1024  # AWS's, before encoding


class UserData:
    """Wrap moto where it loses user data on its way to an instance, or would only seem to change it."""

    def __init__(self, patches: Patches) -> None:
        patches.wrap(LaunchTemplate, "create_version", _create_version)
        patches.wrap(InstanceBackend, "modify_instance_attribute", _modify_instance_attribute)


def decoded(encoded: object) -> bytes:
    """Decode what moto keeps; refuse what is not base64, or longer than AWS takes."""
    if encoded is None:
        return b""
    try:
        data = base64.b64decode(str(encoded), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EC2ClientError("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.") from error
    if len(data) > _LIMIT:
        raise EC2ClientError("InvalidParameterValue", f"User data is limited to {_LIMIT} bytes")
    return data


def asked_for(backend: Any, given: object, options: dict[str, Any]) -> object:
    """Find the user data of a launch: its own, or its template version's."""
    if given is not None or not options.get("launch_template"):
        return given
    version = backend._get_template_from_args(options["launch_template"])  # noqa: SLF001 - as moto finds it
    return version.data.get("UserData")


def _create_version(original: Any, template: Any, data: dict[str, Any], description: str) -> Any:
    # moto does so for a template's first version only, and an Auto Scaling group trips over the others
    return original(template, {**data, "UserData": parse_user_data(_text(data.get("UserData")))}, description)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _modify_instance_attribute(original: Any, backend: Any, instance_id: str, key: str, value: Any) -> Any:
    if key == "user_data":
        raise EC2ClientError(
            "UnsupportedOperation",
            "This local cloud gives a machine its user data when it is launched: launch another instance.",
        )
    return original(backend, instance_id, key, value)
