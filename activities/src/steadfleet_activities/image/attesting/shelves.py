"""Which adapters measure the images of each platform, and keep what is signed of them."""

from collections.abc import Mapping

from steadfleet_activities.image.attesting.amis import AmiArtifacts
from steadfleet_activities.image.attesting.manifests import OciArtifacts
from steadfleet_activities.image.attesting.referrers import OciAttestations
from steadfleet_activities.image.attesting.s3_store import S3Attestations
from steadfleet_activities.image.attesting.stores import Shelf
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.listing import BUNDLES
from steadfleet_activities.image.oci import Registries
from steadfleet_core.image.order import Platform


def shelves(regions: AwsRegions, env: Mapping[str, str]) -> dict[Platform, Shelf]:
    """Join them; STEADFLEET_ATTESTATIONS_BUCKET names the bucket for those of AMIs."""
    bucket = env.get("STEADFLEET_ATTESTATIONS_BUCKET") or BUNDLES
    registries = Registries(env)
    return {
        Platform.AWS: Shelf(AmiArtifacts(regions), S3Attestations(regions.s3, bucket)),
        Platform.DOCKER: Shelf(OciArtifacts(registries), OciAttestations(registries)),
    }
