"""Which exact image an order means."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.fleet.machines import PAGE, pages
from steadfleet_core.campaign.policy import ImageSpec
from steadfleet_core.errors import RefusedError
from steadfleet_core.fleet import Image

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import ImageTypeDef

_UNKNOWN = frozenset({"InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable"})


class Images:
    """The images of one region."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def resolve(self, spec: ImageSpec) -> Image:
        """Find the one available image that is meant, or refuse in words."""
        found = self._by_id(spec.id) if spec.id is not None else self._by_tags(spec)
        if found["State"] != "available":
            raise RefusedError(
                f"image {found['ImageId']} is {found['State']}, expected available: wait until it "
                "is, or name another in spec.image"
            )
        return Image(id=found["ImageId"], name=found.get("Name", ""))

    def names(self, ids: set[str]) -> dict[str, str]:
        """Name those of the images that still exist and can be launched."""
        found: dict[str, str] = {}
        for page in pages(sorted(ids), PAGE):
            # As a filter, for one unknown id would refuse them all.
            answer = self._aws.ec2.describe_images(
                Filters=[
                    {"Name": "image-id", "Values": list(page)},
                    {"Name": "state", "Values": ["available"]},
                ]
            )
            found |= {image["ImageId"]: image.get("Name", "") for image in answer["Images"]}
        return found

    def _by_id(self, image_id: str) -> "ImageTypeDef":
        found = []
        try:
            found = self._aws.ec2.describe_images(ImageIds=[image_id])["Images"]
        except ClientError as error:
            if code_of(error) not in _UNKNOWN:
                raise
        if not found:
            raise RefusedError(
                f"spec.image.id: there is no image {image_id} in {self._aws.region}: expected one that this "
                "account may launch; correct the id, or share the image with this account"
            )
        return found[0]

    def _by_tags(self, spec: ImageSpec) -> "ImageTypeDef":
        wanted = {tags.FAMILY: spec.family or "", tags.VERSION: spec.version or ""}
        answer = self._aws.ec2.describe_images(
            Filters=[{"Name": f"tag:{key}", "Values": [value]} for key, value in wanted.items()]
        )
        found = answer["Images"]
        if len(found) != 1:
            ids = ", ".join(sorted(image["ImageId"] for image in found)) or "none"
            tagged = " and ".join(f"{key}={value}" for key, value in wanted.items())
            raise RefusedError(
                f"spec.image {spec} in {self._aws.region}: got {ids}, expected exactly one image tagged "
                f"{tagged}; tag the one that is meant, or name it by spec.image.id"
            )
        return found[0]
