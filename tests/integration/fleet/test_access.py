"""What a worker may not do is named, by trying it dry; nothing is done, and little is stored."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from integration.fleet.bench import Bench
from integration.janitor.residue import refuse
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.access import PROBE
from steadfleet_activities.fleet.access import campaign_access
from steadfleet_ports.access import Access, AccessQuestion

TRIED = [
    "RunInstances",
    "TerminateInstances",
    "CreateTags",
    "DeleteTags",
    "CreateLaunchTemplateVersion",
    "DescribeInstances",
    "DescribeImages",
]


async def inspect(bench: Bench, bucket: str = "steadfleet-plans", *, write: bool = False) -> Access:
    question = AccessQuestion(write=write)
    access = campaign_access(bench.aws, bucket)
    found: Access = await ActivityEnvironment().run(access.inspect_access, question)
    return found


async def test_a_worker_that_may_do_all_is_refused_nothing_and_has_done_nothing(bench: Bench) -> None:
    before = bench.cloud.inventory()

    found = await inspect(bench)

    assert (found.store_problem, found.refused, found.unclear) == ("", (), ())
    assert (found.region, found.regions) == (bench.aws.region, (bench.aws.region,))
    assert bench.cloud.inventory() == before
    assert "Contents" not in bench.aws.s3.list_objects_v2(Bucket=found.bucket, Prefix=PROBE)


async def test_each_call_that_is_not_allowed_is_named_with_whose_role_to_change(bench: Bench) -> None:
    for action in TRIED:
        client = bench.aws.launcher if action == "RunInstances" else bench.aws.ec2
        refuse(client, action, "UnauthorizedOperation", count=1)

    found = await inspect(bench)

    assert sorted(found.refused) == sorted(
        f"ec2:{action} in {found.region} is refused (UnauthorizedOperation): allow it to the patch-campaign "
        "worker's role (docs/aws.md)"
        for action in TRIED
    )


async def test_an_answer_that_makes_no_sense_is_told_and_hides_no_refusal(bench: Bench) -> None:
    for action in ("DescribeInstances", "CreateTags"):
        refuse(bench.aws.ec2, action, "ExpiredToken", count=1)
    refuse(bench.aws.ec2, "TerminateInstances", "UnauthorizedOperation", count=1)

    found = await inspect(bench)

    assert found.unclear == (
        f"AWS answers ec2:DescribeInstances, ec2:CreateTags in {found.region} with ExpiredToken",
    )
    assert [one.split()[0] for one in found.refused] == ["ec2:TerminateInstances"]


async def test_a_bucket_that_is_not_there_is_named(bench: Bench) -> None:
    found = await inspect(bench, "nobodys-plans")

    assert found.store_problem == "s3://nobodys-plans answers NoSuchBucket"


async def test_a_bucket_that_may_be_read_and_not_written_is_seen_only_by_writing(bench: Bench) -> None:
    refuse(bench.aws.s3, "PutObject", "AccessDenied")

    assert (await inspect(bench)).store_problem == ""
    assert "PutObject of s3://steadfleet-plans/probes/doctor.txt answers AccessDenied" in (
        (await inspect(bench, write=True)).store_problem
    )


async def test_what_was_stored_to_try_it_is_one_object_however_often(bench: Bench) -> None:
    for _ in range(2):
        assert (await inspect(bench, write=True)).store_problem == ""

    assert bench.aws.s3.list_objects_v2(Bucket="steadfleet-plans", Prefix="probes/")["KeyCount"] == 1


async def test_the_clocks_of_worker_and_cloud_are_told_side_by_side(bench: Bench) -> None:
    found = await inspect(bench)

    assert found.worker_time is not None
    assert found.cloud_time is not None
    assert abs(found.worker_time - found.cloud_time) < timedelta(minutes=1)


async def test_the_cloud_s_clock_is_what_its_answer_says(bench: Bench) -> None:
    def an_hour_ahead(parsed: dict[str, Any], **_call: object) -> None:
        ahead = datetime.now(UTC) + timedelta(hours=1)
        parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = format_datetime(ahead, usegmt=True)

    bench.aws.s3.meta.events.register("after-call.s3.ListObjectsV2", an_hour_ahead)

    found = await inspect(bench)

    assert found.worker_time is not None
    assert found.cloud_time is not None
    assert timedelta(minutes=59) < found.cloud_time - found.worker_time < timedelta(minutes=61)
