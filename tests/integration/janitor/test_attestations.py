"""What was signed for an image goes with it, before it: afterwards nothing leads to it."""

import boto3
import pytest
from botocore.exceptions import ClientError
from integration.janitor.residue import HOME, NAME, Site, sweep_of, tags_of
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.configuring import ATTESTATIONS
from steadfleet_activities.janitor.aws import AwsJanitor
from steadfleet_local_cloud import LocalCloud
from steadfleet_ports.lease import Residue


class Shelf:
    """The bucket of attestations."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._s3 = boto3.client("s3", **cloud.client_settings)
        self._s3.create_bucket(
            Bucket=ATTESTATIONS, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )

    def sign(self, image: str) -> str:
        key = f"ami/{image}/{'0' * 64}.sigstore.json"
        self._s3.put_object(Bucket=ATTESTATIONS, Key=key, Body=b"{}")
        return key

    def keys(self) -> list[str]:
        return [one["Key"] for one in self._s3.list_objects_v2(Bucket=ATTESTATIONS).get("Contents", [])]


@pytest.fixture
def shelf(cloud: LocalCloud) -> Shelf:
    return Shelf(cloud)


async def sweep(janitor: AwsJanitor) -> Residue:
    residue: Residue = await ActivityEnvironment().run(janitor.sweep_run, sweep_of())
    return residue


async def test_what_was_signed_for_an_image_goes_with_it_and_nothing_else(
    janitor: AwsJanitor, site: Site, shelf: Shelf, cloud: LocalCloud
) -> None:
    machine = site.instance({})
    ours = site.image(NAME, machine, {})
    released = site.image("released", machine, tags_of("image-web-1.2.0-0a1b", family="web"))
    shelf.sign(ours)
    kept = [shelf.sign(f"{ours}0"), shelf.sign(released)]

    assert (await sweep(janitor)).left == ()

    assert shelf.keys() == sorted(kept)
    calls = [one["action"] for one in cloud.record() if one["kind"] == "call"]
    assert calls.index("DeleteObject") < calls.index("DeregisterImage")


async def test_image_stays_while_what_was_signed_for_it_cannot_go(
    janitor: AwsJanitor, site: Site, shelf: Shelf
) -> None:
    image = site.image(NAME, site.instance({}), {})
    key = shelf.sign(image)
    refuse_s3(janitor, "DeleteObject")

    left = {one.id: one.why for one in (await sweep(janitor)).left}

    assert left[image] == "AccessDenied: said the test"
    assert shelf.keys() == [key]


async def test_image_goes_where_nothing_is_ever_signed(janitor: AwsJanitor, site: Site) -> None:
    site.image(NAME, site.instance({}), {})

    assert (await sweep(janitor)).left == ()


async def test_janitor_that_may_not_look_there_says_so_before_an_image_is_built(
    janitor: AwsJanitor,
) -> None:
    refuse_s3(janitor, "ListObjectsV2")
    rehearse = ActivityEnvironment().run

    (said,) = await rehearse(janitor.rehearse_sweep, sweep_of())
    of_a_campaign = await rehearse(janitor.rehearse_sweep, sweep_of().model_copy(update={"names": ()}))

    assert said.startswith(f"s3:ListBucket in {HOME} is refused (AccessDenied)")
    assert of_a_campaign == ()


def refuse_s3(janitor: AwsJanitor, operation: str) -> None:
    def answer(**_call: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "said the test"}}, operation)

    janitor._at(HOME).s3.meta.events.register(f"before-call.s3.{operation}", answer)
