"""
An AWS for one machine, with a real machine behind every instance.

    with LocalCloud() as cloud:
        image = cloud.register_image("web-1.0", Path("examples/web/good-1.0"))
        ec2 = boto3.client("ec2", **cloud.client_settings)
        ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steadfleet_local_cloud.cloud import LocalCloud as LocalCloud

__all__ = ["LocalCloud"]


def __getattr__(name: str) -> object:
    # The command line answers --help without loading moto.
    if name == "LocalCloud":
        from steadfleet_local_cloud.cloud import LocalCloud  # noqa: PLC0415

        return LocalCloud
    raise AttributeError(name)
