"""Whoever may write to the bucket can leave anything: what is read is bounded, and checked by its name."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError

from steadfleet_activities.image.attesting import s3_store
from steadfleet_activities.image.attesting.s3_store import S3Attestations
from steadfleet_activities.image.attesting.stores import MOST_BUNDLES, Found
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import digest_of
from steadfleet_ports.image import PublishedCopy

IMAGE = PublishedCopy(place="eu-west-1", id="ami-0123456789abcdef0")
BEGAN = datetime(2026, 11, 21, tzinfo=UTC)


@dataclass
class FakeS3:
    """One bucket: objects in the order in which they were written."""

    objects: dict[str, bytes] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    read: list[str] = field(default_factory=list)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str, IfNoneMatch: str) -> None:  # noqa: N803
        if Key in self.objects:
            raise refusal("PreconditionFailed", "PutObject")
        self.objects[Key] = Body

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        self.read.append(Key)
        if Key in self.gone:
            raise refusal("NoSuchKey", "GetObject")
        return {"Body": BytesIO(self.objects[Key])}

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803
        del self.objects[Key]

    def get_paginator(self, _name: str) -> "FakeS3":
        return self

    def paginate(self, *, Bucket: str, Prefix: str, PaginationConfig: dict[str, int]) -> Any:  # noqa: N803
        listed = [
            {"Key": key, "Size": len(body), "LastModified": BEGAN + timedelta(seconds=number)}
            for number, (key, body) in enumerate(self.objects.items())
            if key.startswith(Prefix)
        ]
        # S3 lists by key, not by age.
        listed.sort(key=lambda one: str(one["Key"]))
        yield {}
        yield {"Contents": listed}


def refusal(code: str, action: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, action)


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3()


@pytest.fixture
def store(s3: FakeS3) -> S3Attestations:
    return S3Attestations(s3, "bundles")  # type: ignore[arg-type]


def key(bundle: bytes, image: str = IMAGE.id) -> str:
    return f"ami/{image}/{digest_of(bundle).removeprefix('sha256:')}.sigstore.json"


def test_a_bundle_is_kept_once_under_its_digest(s3: FakeS3, store: S3Attestations) -> None:
    first, second = store.put(IMAGE, b"bundle"), store.put(IMAGE, b"bundle")

    assert first == second == f"s3://bundles/{key(b'bundle')}"
    assert list(s3.objects) == [key(b"bundle")]
    assert [one.bundle for one in store.found(IMAGE).bundles] == [b"bundle"]


def test_the_oldest_are_read_however_many_are_added(s3: FakeS3, store: S3Attestations) -> None:
    store.put(IMAGE, b"ours")
    for number in range(3 * MOST_BUNDLES):
        store.put(IMAGE, f"flood {number}".encode())

    found = store.found(IMAGE)

    assert found.bundles[0].bundle == b"ours"
    assert len(found.bundles) == len(s3.read) == MOST_BUNDLES
    assert "129 more, the newest, are beyond what is read" in found.refused[-1].reason


def test_what_is_too_large_is_not_read(
    s3: FakeS3, store: S3Attestations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_store, "MOST_BYTES", 100)
    for number in range(5):
        store.put(IMAGE, str(number).encode() * 30)

    found = store.found(IMAGE)

    assert len(found.bundles) == len(s3.read) == 3
    assert [one.reason.rpartition(": ")[2] for one in found.refused] == [
        "it has 30 bytes, more than is read"
    ] * 2


def test_what_is_not_what_its_name_says_is_recorded(s3: FakeS3, store: S3Attestations) -> None:
    s3.objects = {key(b"one"): b"other", f"ami/{IMAGE.id}/readme.txt": b"hello", key(b"good"): b"good"}

    found = store.found(IMAGE)

    assert [one.bundle for one in found.bundles] == [b"good"]
    assert sorted(one.reason.partition(": ")[2] for one in found.refused) == [
        "it is not named after a digest",
        "it was changed: its content is not what its key says",
    ]


def test_what_was_removed_meanwhile_is_not_there(s3: FakeS3, store: S3Attestations) -> None:
    store.put(IMAGE, b"bundle")
    s3.gone = {key(b"bundle")}

    assert store.found(IMAGE) == Found()


def test_another_images_are_neither_found_nor_removed(s3: FakeS3, store: S3Attestations) -> None:
    longer = PublishedCopy(place="eu-west-1", id=f"{IMAGE.id}1")
    store.put(longer, b"bundle")

    store.remove(IMAGE)

    assert store.found(IMAGE).bundles == ()
    assert list(s3.objects) == [key(b"bundle", longer.id)]


@pytest.mark.parametrize("image", ["", "..", "ami-1/../ami-2", "ami-0123456789abcdef0/"])
def test_an_id_that_reaches_elsewhere_is_refused(store: S3Attestations, image: str) -> None:
    for act in (store.found, store.remove):
        with pytest.raises(RefusedError, match="expected an AMI's id"):
            act(PublishedCopy(place="eu-west-1", id=image))
