"""Which AMIs are released, in every region that this worker is told of."""

from collections.abc import Sequence

from botocore.exceptions import ClientError

from steadfleet_activities.configuring import ATTESTATIONS
from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.image import tags
from steadfleet_activities.image.amis import Ami, Amis
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_ports.image import ListedImage

BUNDLES = ATTESTATIONS


class Listings:
    """Released images, and how many signed bundles lie beside each: counted, not verified."""

    def __init__(self, regions: AwsRegions, places: Sequence[str], bundles: str = BUNDLES) -> None:
        self._regions = regions
        self._places = tuple(dict.fromkeys([regions.home, *places]))
        self._bundles = bundles

    def released(self, family: str = "") -> list[ListedImage]:
        return [self._listed(place, ami) for place in self._places for ami in self._tagged(place, family)]

    def _tagged(self, place: str, family: str) -> list[Ami]:
        amis = Amis(self._regions.at(place))
        found = amis.tagged({tags.FAMILY: family}) if family else amis.with_tag(tags.FAMILY)
        return [ami for ami in found if tags.VERSION in ami.tags]

    def _listed(self, place: str, ami: Ami) -> ListedImage:
        return ListedImage(
            family=ami.tags[tags.FAMILY],
            version=ami.tags[tags.VERSION],
            place=place,
            id=ami.id,
            created_at=ami.created_at,
            attestations=self._count(ami.id),
        )

    def _count(self, image_id: str) -> int:
        pages = self._regions.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bundles, Prefix=f"ami/{image_id}/"
        )
        try:
            return sum(len(page.get("Contents", ())) for page in pages)
        except ClientError as error:
            if code_of(error) != "NoSuchBucket":
                raise
            return 0
