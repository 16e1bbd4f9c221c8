"""An OCI registry in memory, with or without the referrers API of distribution-spec 1.1."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from fakes.serving import Answer, Request, serving

INDEX = "application/vnd.oci.image.index.v1+json"
_ROUTE = re.compile(
    r"/v2/(?P<name>.+)/(?P<kind>blobs/uploads|blobs|manifests|tags|referrers)/(?P<reference>[^/]*)"
)


@dataclass(frozen=True)
class Manifest:
    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.content)

    @property
    def fields(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.content)
        return parsed

    def descriptor(self) -> dict[str, Any]:
        """Describe it as the referrers API must: with its artifact type and annotations."""
        fields = self.fields
        described = {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}
        artifact_type = fields.get("artifactType") or fields.get("config", {}).get("mediaType")
        optional = {"artifactType": artifact_type, "annotations": fields.get("annotations")}
        return described | {name: value for name, value in optional.items() if value}


@dataclass
class Repository:
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    """Of each tag, the digest of its manifest."""

    def find(self, reference: str) -> Manifest | None:
        return self.manifests.get(self.tags.get(reference, reference))

    def referrers(self, subject: str) -> list[Manifest]:
        return [
            manifest
            for manifest in self.manifests.values()
            if (manifest.fields.get("subject") or {}).get("digest") == subject
        ]


@dataclass
class FakeRegistry:
    """A registry at `host` (plain HTTP), which records every request as `METHOD path`.

    With `referrers_api=False` it answers 404 there and echoes no subject, as registries before
    distribution-spec 1.1 do: clients must then keep the tag `sha256-<hex>`.
    """

    referrers_api: bool = True
    host: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    _uploads: dict[str, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    @contextmanager
    def running(cls, *, referrers_api: bool = True) -> Iterator["FakeRegistry"]:
        registry = cls(referrers_api=referrers_api)
        with serving(registry.answer) as registry.host:
            yield registry

    def add(self, name: str, tag: str, manifest: Manifest, *blobs: bytes) -> str:
        """Put an image in by hand; give its reference by digest."""
        repository = self.repositories.setdefault(name, Repository())
        repository.blobs.update({digest_of(blob): blob for blob in blobs})
        repository.manifests[manifest.digest] = manifest
        repository.tags[tag] = manifest.digest
        return f"{self.host}/{name}@{manifest.digest}"

    def answer(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(f"{request.method} {request.path}")
            if request.path.rstrip("/") == "/v2":
                return Answer.of_json({})
            if not (route := _ROUTE.fullmatch(request.path)):
                return _refusal(404, "NAME_UNKNOWN")
            return self._route(request, *route.group("name", "kind", "reference"))

    def _route(self, request: Request, name: str, kind: str, reference: str) -> Answer:
        repository = self.repositories.setdefault(name, Repository())
        match kind:
            case "blobs/uploads":
                return self._upload(request, name, repository, reference)
            case "blobs":
                return _blob(repository, reference)
            case "manifests":
                return self._manifest(request, repository, reference)
            case "referrers":
                return self._referrers(request, repository, reference)
        return Answer.of_json({"name": name, "tags": sorted(repository.tags)})

    def _upload(self, request: Request, name: str, repository: Repository, upload: str) -> Answer:
        digest = request.query.get("digest")
        if request.method == "POST":
            upload = uuid4().hex
        content = self._uploads.pop(upload, b"") + request.body
        if digest is None:
            self._uploads[upload] = content
            location = {"Location": f"/v2/{name}/blobs/uploads/{upload}"}
            return Answer(202, headers=location | {"Range": f"0-{max(len(content) - 1, 0)}"})
        if digest_of(content) != digest:
            return _refusal(400, "DIGEST_INVALID")
        repository.blobs[digest] = content
        return Answer(201, headers={"Location": f"/v2/{name}/blobs/{digest}"})

    def _manifest(self, request: Request, repository: Repository, reference: str) -> Answer:
        if request.method == "PUT":
            return self._put_manifest(request, repository, reference)
        if not (manifest := repository.find(reference)):
            return _refusal(404, "MANIFEST_UNKNOWN")
        if request.method == "DELETE":
            _delete(repository, reference, manifest)
            return Answer(202)
        told = {"Content-Type": manifest.media_type, "Docker-Content-Digest": manifest.digest}
        return Answer(200, manifest.content, told)

    def _put_manifest(self, request: Request, repository: Repository, reference: str) -> Answer:
        manifest = Manifest(request.headers["content-type"], request.body)
        if ":" not in reference:
            repository.tags[reference] = manifest.digest
        elif reference != manifest.digest:
            return _refusal(400, "DIGEST_INVALID")
        repository.manifests[manifest.digest] = manifest
        told = {"Docker-Content-Digest": manifest.digest, "Location": request.path}
        if self.referrers_api and (subject := manifest.fields.get("subject")):
            told["OCI-Subject"] = subject["digest"]
        return Answer(201, headers=told)

    def _referrers(self, request: Request, repository: Repository, subject: str) -> Answer:
        if not self.referrers_api:
            return _refusal(404, "UNSUPPORTED")
        wanted = request.query.get("artifactType")
        described = [manifest.descriptor() for manifest in repository.referrers(subject)]
        if wanted:
            described = [each for each in described if each.get("artifactType") == wanted]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": described}
        return Answer.of_json(
            index, 200, INDEX, **({"OCI-Filters-Applied": "artifactType"} if wanted else {})
        )


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _blob(repository: Repository, digest: str) -> Answer:
    if (content := repository.blobs.get(digest)) is None:
        return _refusal(404, "BLOB_UNKNOWN")
    told = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
    return Answer(200, content, told)


def _delete(repository: Repository, reference: str, manifest: Manifest) -> None:
    """Forget a tag alone, or a manifest with all its tags, as the specification says."""
    if repository.tags.pop(reference, None) is None:
        del repository.manifests[manifest.digest]
        repository.tags = {tag: digest for tag, digest in repository.tags.items() if digest != reference}


def _refusal(status: int, code: str) -> Answer:
    return Answer.of_json({"errors": [{"code": code, "message": code.replace("_", " ").lower()}]}, status)
