"""The object store as a place for evidence: written once, kept, listed in pages."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.aws import Aws

from steadfleet_local_cloud import LocalCloud

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

BUCKET = "evidence"
TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


@pytest.fixture
def s3(tmp_path: Path) -> "Iterator[S3Client]":
    with LocalCloud(state=tmp_path, machines="none") as cloud:
        s3 = Aws(cloud.endpoint).s3
        s3.create_bucket(
            Bucket=BUCKET,
            ObjectLockEnabledForBucket=True,
            CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
        )
        yield s3


def error_code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"]


def keep(s3: "S3Client", mode: Any = "COMPLIANCE") -> str:
    made = s3.put_object(
        Bucket=BUCKET, Key="kept", Body=b"1", ObjectLockMode=mode, ObjectLockRetainUntilDate=TOMORROW
    )
    return str(made["VersionId"])


def test_what_is_written_once_is_not_written_again(s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key="once", Body=b"1", IfNoneMatch="*")

    again = error_code(lambda: s3.put_object(Bucket=BUCKET, Key="once", Body=b"2", IfNoneMatch="*"))

    assert again == "PreconditionFailed"
    assert s3.get_object(Bucket=BUCKET, Key="once")["Body"].read() == b"1"


def test_of_many_writers_at_once_one_wins(s3: "S3Client") -> None:
    def write(number: int) -> bool:
        try:
            s3.put_object(Bucket=BUCKET, Key="race", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(16)))

    assert sum(won) == 1
    assert s3.get_object(Bucket=BUCKET, Key="race")["Body"].read() == str(won.index(True)).encode()


def test_a_prefix_is_listed_in_pages(s3: "S3Client") -> None:
    for number in range(5):
        s3.put_object(Bucket=BUCKET, Key=f"ami/{number}", Body=b"x" * number)
    s3.put_object(Bucket=BUCKET, Key="other", Body=b"x")

    pages = list(
        s3.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix="ami/", PaginationConfig={"PageSize": 2}
        )
    )

    assert [[one["Size"] for one in page["Contents"]] for page in pages] == [[0, 1], [2, 3], [4]]
    assert s3.head_object(Bucket=BUCKET, Key="ami/4")["ContentLength"] == 4


@pytest.mark.parametrize("wrong", [{"ContentMD5": "A" * 22 + "=="}, {"ChecksumSHA256": "A" * 43 + "="}])
def test_a_body_that_is_not_what_its_checksum_says_is_refused(s3: "S3Client", wrong: dict[str, Any]) -> None:
    assert error_code(lambda: s3.put_object(Bucket=BUCKET, Key="any", Body=b"1", **wrong)) == "BadDigest"
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)


def test_compliance_cannot_be_undone(s3: "S3Client") -> None:
    version = keep(s3)
    weaker: list[Any] = [
        {"Mode": "COMPLIANCE", "RetainUntilDate": TOMORROW - timedelta(hours=1)},
        {"Mode": "GOVERNANCE", "RetainUntilDate": TOMORROW},
        {},
    ]
    delete = partial(s3.delete_object, Bucket=BUCKET, Key="kept", VersionId=version)
    retain = partial(s3.put_object_retention, Bucket=BUCKET, Key="kept", BypassGovernanceRetention=True)

    attempts: list[Callable[[], object]] = [
        delete,
        partial(delete, BypassGovernanceRetention=True),
        *(partial(retain, Retention=one) for one in weaker),
    ]
    assert [error_code(attempt) for attempt in attempts] == ["AccessDenied"] * 5
    several = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "kept", "VersionId": version}]})
    assert [one["Code"] for one in several["Errors"]] == ["AccessDenied"]
    assert (
        error_code(
            lambda: s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
        )
        == "InvalidBucketState"
    )
    assert s3.get_object(Bucket=BUCKET, Key="kept", VersionId=version)["Body"].read() == b"1"


def test_compliance_may_be_extended(s3: "S3Client") -> None:
    keep(s3)
    later = TOMORROW + timedelta(days=1)

    s3.put_object_retention(
        Bucket=BUCKET, Key="kept", Retention={"Mode": "COMPLIANCE", "RetainUntilDate": later}
    )

    retention = s3.get_object_retention(Bucket=BUCKET, Key="kept")["Retention"]
    assert retention == {"Mode": "COMPLIANCE", "RetainUntilDate": later}


def test_governance_can_be_bypassed_and_only_so(s3: "S3Client") -> None:
    version = keep(s3, "GOVERNANCE")

    def delete(**options: Any) -> object:
        return s3.delete_object(Bucket=BUCKET, Key="kept", VersionId=version, **options)

    assert error_code(delete) == "AccessDenied"
    delete(BypassGovernanceRetention=True)
    assert error_code(lambda: s3.head_object(Bucket=BUCKET, Key="kept")) == "404"


def test_the_buckets_own_retention_holds_for_every_object(s3: "S3Client") -> None:
    s3.put_object_lock_configuration(
        Bucket=BUCKET,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}},
        },
    )
    version = s3.put_object(Bucket=BUCKET, Key="any", Body=b"1")["VersionId"]

    assert s3.get_object_retention(Bucket=BUCKET, Key="any")["Retention"]["Mode"] == "COMPLIANCE"
    assert error_code(lambda: s3.delete_object(Bucket=BUCKET, Key="any", VersionId=version)) == "AccessDenied"


def test_a_legal_hold_keeps_until_it_is_lifted(s3: "S3Client") -> None:
    version = str(s3.put_object(Bucket=BUCKET, Key="held", Body=b"1")["VersionId"])
    s3.put_object_legal_hold(Bucket=BUCKET, Key="held", LegalHold={"Status": "ON"})

    def delete() -> object:
        return s3.delete_object(Bucket=BUCKET, Key="held", VersionId=version)

    assert error_code(delete) == "AccessDenied"
    s3.put_object_legal_hold(Bucket=BUCKET, Key="held", LegalHold={"Status": "OFF"})
    delete()


def test_an_object_without_retention_says_so(s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key="free", Body=b"1")

    asked = error_code(lambda: s3.get_object_retention(Bucket=BUCKET, Key="free"))
    assert asked == "NoSuchObjectLockConfiguration"


def test_a_deleted_object_is_marked_and_its_versions_stay(s3: "S3Client") -> None:
    version = keep(s3)
    s3.delete_object(Bucket=BUCKET, Key="kept")

    assert error_code(lambda: s3.get_object(Bucket=BUCKET, Key="kept")) == "NoSuchKey"
    assert s3.get_object(Bucket=BUCKET, Key="kept", VersionId=version)["Body"].read() == b"1"
    assert error_code(lambda: s3.delete_bucket(Bucket=BUCKET)) == "BucketNotEmpty"
