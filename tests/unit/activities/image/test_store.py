"""What a build leaves by digest is written once, and verified when it is read."""

import os

import pytest
from unit.activities.image.stand_ins import FakeS3

from steadfleet_activities.image.documents import MOST_PACKED, read_document
from steadfleet_activities.image.store import ImageStore, Kept
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import digest_of
from steadfleet_ports.image import DocumentKind, DocumentRequest


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3()


@pytest.fixture
def store(s3: FakeS3) -> ImageStore:
    return ImageStore(s3, "ours")  # type: ignore[arg-type]  # a stand-in


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (Kept.SOURCES, "sources/{}.tar.gz"),
        (Kept.SBOM, "sboms/{}.json"),
        (Kept.TESTS, "tests/{}.json"),
        (Kept.LOG, "logs/{}.log"),
    ],
)
def test_each_kind_has_its_folder_and_is_named_by_its_digest(
    store: ImageStore, s3: FakeS3, kind: Kept, key: str
) -> None:
    digest = store.put(kind, b"content")

    assert digest == digest_of(b"content")
    assert s3.objects == {key.format(digest.removeprefix("sha256:")): b"content"}
    assert store.get(kind, digest) == b"content"


def test_same_content_is_written_once(store: ImageStore, s3: FakeS3) -> None:
    store.put(Kept.LOG, b"content")
    store.put(Kept.LOG, b"content")

    assert s3.writes == 1


def test_object_that_was_changed_is_refused(store: ImageStore, s3: FakeS3) -> None:
    digest = store.put(Kept.SBOM, b"content")
    s3.objects = dict.fromkeys(s3.objects, b"other")

    with pytest.raises(RefusedError, match=r"was changed after it was stored.*start a new build"):
        store.get(Kept.SBOM, digest)


def test_object_that_is_gone_is_said(store: ImageStore) -> None:
    with pytest.raises(RefusedError, match=r"s3://ours/logs/\w+\.log does not exist: expected the log"):
        store.get(Kept.LOG, digest_of(b"nothing"))


def test_bucket_that_is_not_there_is_said(store: ImageStore, s3: FakeS3) -> None:
    s3.missing = True

    with pytest.raises(RefusedError, match="no bucket ours, where the sources of image builds are stored"):
        store.put(Kept.SOURCES, b"content")


def test_document_travels_packed(store: ImageStore) -> None:
    digest = store.put(Kept.LOG, b"said " * 1000)

    document = read_document(store, DocumentRequest(kind=DocumentKind.LOG, digest=digest))

    assert len(document.content) < 200


def test_document_that_is_too_long_says_where_it_lies(store: ImageStore) -> None:
    digest = store.put(Kept.SBOM, os.urandom(MOST_PACKED + 1))

    with pytest.raises(RefusedError, match=r"s3://ours/sboms/\w+\.json has \d+ bytes packed.*read it there"):
        read_document(store, DocumentRequest(kind=DocumentKind.SBOM, digest=digest))
