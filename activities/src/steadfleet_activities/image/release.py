"""Let an AMI be found by family and version, and share it."""

from collections.abc import Sequence

from steadfleet_activities.image import tags
from steadfleet_activities.image.amis import Ami, Amis
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_core.errors import RefusedError
from steadfleet_ports.image import Release


class Releases:
    """What is released at the places of an image. Each act may be done again."""

    def __init__(self, regions: AwsRegions) -> None:
        self._regions = regions

    def release(self, release: Release) -> None:
        place = release.publication.place.name
        amis = Amis(self._regions.at(place))
        ami = _releasable(release, amis)
        snapshots = amis.snapshots_of(ami)
        self._share(place, ami, snapshots, release.publication.publish.share_with)
        # The name comes before the expiry goes: at no moment is there an image with neither.
        amis.tag([ami.id], _identity(release))
        amis.untag([ami.id, *snapshots], tags.EXPIRES_AT)

    def _share(self, place: str, ami: Ami, snapshots: set[str], accounts: Sequence[str]) -> None:
        if not accounts:
            return
        aws = self._regions.at(place)
        aws.ec2.modify_image_attribute(
            ImageId=ami.id, LaunchPermission={"Add": [{"UserId": account} for account in accounts]}
        )
        for snapshot in sorted(snapshots):
            aws.ec2.modify_snapshot_attribute(
                SnapshotId=snapshot,
                Attribute="createVolumePermission",
                OperationType="add",
                UserIds=list(accounts),
            )


def released(amis: Amis, family: str, version: str) -> list[Ami]:
    return amis.tagged({tags.FAMILY: family, tags.VERSION: version})


def _releasable(release: Release, amis: Amis) -> Ami:
    build = release.publication.build
    ami = amis.find(release.copy_id)
    if ami is None or not ami.is_of(build.run):
        raise RefusedError(
            f"image {release.copy_id} in {amis.region} is "
            f"{'of run ' + ami.tags.get(tags.RUN, '(none)') if ami else 'gone'}: expected the copy of run "
            f"{build.run}; find out who changed it"
        )
    others = [one.id for one in released(amis, build.family, build.version) if one.id != ami.id]
    if others:
        raise RefusedError(
            f"{build.family}@{build.version} is {', '.join(others)} in {amis.region} already: a version "
            "names one image for ever; release this one under another version"
        )
    return ami


def _identity(release: Release) -> dict[str, str]:
    build = release.publication.build
    return {
        tags.FAMILY: build.family,
        tags.VERSION: build.version,
        tags.ORDER: release.order,
        tags.KEY: build.key,
        tags.BUILT_FROM: build.base.id,
    }
