"""The registry of our tests keeps to the distribution specification, as far as it goes."""

import json
from collections.abc import Iterator

import httpx
import pytest

from fakes.registry import INDEX, FakeRegistry, Manifest, digest_of

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BLOB = b"a layer"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry.running() as registry:
        yield registry


@pytest.fixture
def old_registry() -> Iterator[FakeRegistry]:
    with FakeRegistry.running(referrers_api=False) as registry:
        yield registry


def url(registry: FakeRegistry, path: str) -> str:
    return f"http://{registry.host}/v2/team/web/{path}"


def start_upload(registry: FakeRegistry) -> str:
    answer = httpx.post(url(registry, "blobs/uploads/"))
    assert answer.status_code == 202
    return f"http://{registry.host}{answer.headers['location']}"


def put(registry: FakeRegistry, content: bytes, reference: str = "") -> httpx.Response:
    path = f"manifests/{reference or digest_of(content)}"
    return httpx.put(url(registry, path), content=content, headers={"Content-Type": MANIFEST})


def referrer(subject: Manifest, artifact_type: str = "application/x.one") -> bytes:
    described = {"mediaType": subject.media_type, "digest": subject.digest, "size": len(subject.content)}
    return json.dumps({"artifactType": artifact_type, "subject": described}).encode()


def test_a_blob_is_uploaded_at_once_or_in_parts(registry: FakeRegistry) -> None:
    digest = digest_of(BLOB)
    upload = start_upload(registry)
    httpx.patch(upload, content=BLOB[:3])
    httpx.patch(upload, content=(part for part in [BLOB[3:5], BLOB[5:]]))  # in chunks, of unknown length

    assert httpx.put(upload, params={"digest": digest}).status_code == 201
    assert httpx.get(url(registry, f"blobs/{digest}")).content == BLOB
    head = httpx.head(url(registry, f"blobs/{digest}"))
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(BLOB)))

    other = httpx.post(
        url(registry, "blobs/uploads/"), params={"digest": digest_of(b"other")}, content=b"other"
    )
    assert other.status_code == 201


def test_content_of_another_digest_is_refused(registry: FakeRegistry) -> None:
    upload = start_upload(registry)

    assert httpx.put(upload, params={"digest": digest_of(b"other")}, content=BLOB).status_code == 400
    assert put(registry, b"{}", digest_of(b"other")).status_code == 400
    assert httpx.head(url(registry, f"blobs/{digest_of(b'other')}")).status_code == 404


def test_a_tag_moves_and_what_it_named_stays(registry: FakeRegistry) -> None:
    first, second = b'{"annotations":{"n":"1"}}', b'{"annotations":{"n":"2"}}'
    put(registry, first, "latest")
    put(registry, second, "latest")

    answer = httpx.get(url(registry, "manifests/latest"))
    assert answer.content == second
    assert answer.headers["docker-content-digest"] == digest_of(second)
    assert answer.headers["content-type"] == MANIFEST
    assert httpx.get(url(registry, f"manifests/{digest_of(first)}")).content == first
    assert httpx.get(url(registry, "tags/list")).json()["tags"] == ["latest"]


def test_deleting_a_tag_leaves_the_manifest_and_deleting_it_takes_its_tags(registry: FakeRegistry) -> None:
    put(registry, b"{}", "one")
    put(registry, b"{}", "two")
    digest = url(registry, f"manifests/{digest_of(b'{}')}")

    httpx.delete(url(registry, "manifests/one"))
    assert httpx.head(digest).status_code == 200
    httpx.delete(digest)

    assert httpx.head(digest).status_code == 404
    assert httpx.head(url(registry, "manifests/two")).status_code == 404


def test_referrers_are_listed_by_subject_and_type(registry: FakeRegistry) -> None:
    subject = Manifest(MANIFEST, b"{}")
    put(registry, subject.content)
    one, two = referrer(subject), referrer(subject, "application/x.two")
    answers = [put(registry, one), put(registry, two)]
    listed = url(registry, f"referrers/{subject.digest}")

    assert [answer.headers["oci-subject"] for answer in answers] == [subject.digest] * 2
    index = httpx.get(listed)
    assert index.headers["content-type"] == INDEX
    assert [each["digest"] for each in index.json()["manifests"]] == [digest_of(one), digest_of(two)]
    filtered = httpx.get(listed, params={"artifactType": "application/x.two"})
    assert filtered.headers["oci-filters-applied"] == "artifactType"
    assert [each["digest"] for each in filtered.json()["manifests"]] == [digest_of(two)]
    nobody = httpx.get(url(registry, f"referrers/{digest_of(b'nobody')}"))
    assert (nobody.status_code, nobody.json()["manifests"]) == (200, [])


def test_an_old_registry_has_no_referrers(old_registry: FakeRegistry) -> None:
    subject = Manifest(MANIFEST, b"{}")
    answer = put(old_registry, referrer(subject))

    assert answer.status_code == 201
    assert "oci-subject" not in answer.headers
    assert httpx.get(url(old_registry, f"referrers/{subject.digest}")).status_code == 404


def test_every_request_is_recorded(registry: FakeRegistry) -> None:
    put(registry, b"{}", "latest")

    assert registry.requests == ["PUT /v2/team/web/manifests/latest"]
