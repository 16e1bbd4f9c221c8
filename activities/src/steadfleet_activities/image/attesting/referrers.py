"""Attestations of OCI images, in their registry, exactly as cosign leaves and finds them.

Each is a manifest whose `subject` is the image. Registries since distribution-spec 1.1 list those; for
older ones an index under the tag `sha256-<hex>` does, which is read, changed and written.
"""

import json
import re
import threading
from datetime import UTC, datetime
from typing import Any

import httpx

from steadfleet_activities.image.attesting.manifests import located
from steadfleet_activities.image.attesting.stores import (
    MOST_BUNDLES,
    MOST_BYTES,
    Attestations,
    Found,
    Stored,
)
from steadfleet_activities.image.oci import Manifest, Registries, Repository
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Digest, digest_of
from steadfleet_ports.image import PublishedCopy
from steadfleet_signing.bundle import BUNDLE_TYPE, MOST_BUNDLE_BYTES, Bundle
from steadfleet_signing.statement import Statement
from steadfleet_signing.verify import Refused

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
_NOTHING = b"{}"
_TRIES = 5
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Fields = dict[str, Any]


class OciAttestations(Attestations):
    """Referrers of images; only those that carry one bundle are ours to read or remove."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries
        # The index under a tag is read, changed and written: one at a time, here at least.
        self._indexing = threading.Lock()

    def found(self, copy: PublishedCopy) -> Found:
        repository, image = located(copy.id)
        bundles: list[Stored] = []
        refused: list[Refused] = []
        left = MOST_BYTES
        listed = self._listed(repository, image)
        for digest in listed[:MOST_BUNDLES]:
            try:
                bundle = self._bundle(repository, image, digest, left)
            except _UnfitError as unfit:
                refused.append(Refused(bundle=digest, reason=f"{repository}@{digest}: {unfit}"))
                continue
            if bundle is not None:
                left -= len(bundle)
                bundles.append(Stored(f"{repository}@{digest}", bundle))
        if len(listed) > MOST_BUNDLES:
            more = f"{repository}: {len(listed) - MOST_BUNDLES} more referrers are beyond what is read"
            refused.append(Refused(bundle=image, reason=more))
        return Found(tuple(bundles), tuple(refused))

    def put(self, copy: PublishedCopy, bundle: bytes) -> str:
        repository, image = located(copy.id)
        for digest in self._listed(repository, image):
            if self._carries(repository, digest, digest_of(bundle)):
                self._index(repository, image, digest)
                return f"{repository}@{digest}"
        for blob in (_NOTHING, bundle):
            self._upload(repository, blob)
        subject = self._registries.manifest(repository, image)
        if subject is None:
            raise RefusedError(f"there is no {copy.id}: expected the image that was signed")
        referrer = _referrer(subject, bundle)
        answer = self._registries.put(repository, referrer, referrer.digest)
        answer.raise_for_status()
        if "oci-subject" not in answer.headers:
            self._index(repository, image, referrer.digest)
        return f"{repository}@{referrer.digest}"

    def remove(self, copy: PublishedCopy) -> None:
        repository, image = located(copy.id)
        ours = [one for one in self._listed(repository, image) if self._is_ours(repository, image, one)]
        if self._referrers(repository, image) is None and ours:
            self._forget(repository, image, set(ours))
        for digest in ours:
            self._registries.delete(repository, digest)

    # -- what refers to an image

    def _listed(self, repository: Repository, image: Digest) -> list[Digest]:
        listed = self._referrers(repository, image)
        if listed is None:
            listed = self._tagged(repository, image)
        named = [str(one.get("digest")) for one in listed]
        return list(dict.fromkeys(one for one in named if _DIGEST.fullmatch(one)))

    def _referrers(self, repository: Repository, image: Digest) -> list[Fields] | None:
        """Ask the registry's own list, all pages of it; None where there is no such list."""
        path: str | None = f"referrers/{image}"
        listed: list[Fields] = []
        while path and len(listed) <= MOST_BUNDLES:
            answer = self._registries.ask("GET", repository, path, {"Accept": INDEX})
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None
            answer.raise_for_status()
            listed += _manifests(answer.content)
            following = answer.links.get("next", {}).get("url")
            path = httpx.URL(answer.url).join(following).raw_path.decode() if following else None
        return listed

    def _tagged(self, repository: Repository, image: Digest) -> list[Fields]:
        index = self._registries.manifest(repository, _tag(image))
        return _manifests(index.content) if index else []

    # -- one referrer

    def _is_ours(self, repository: Repository, image: Digest, digest: Digest) -> bool:
        try:
            return self._layer(repository, image, digest) is not None
        except _UnfitError:
            return False

    def _layer(self, repository: Repository, image: Digest, digest: Digest) -> Fields | None:
        """Return the descriptor of a referrer's bundle; None if it carries none, or is gone."""
        manifest = self._registries.manifest(repository, digest)
        if manifest is None:
            return None
        fields = _fields(manifest.content)
        bundle = [one for one in _described(fields.get("layers")) if one.get("mediaType") == BUNDLE_TYPE]
        if not bundle:
            return None
        if manifest.digest != digest or (fields.get("subject") or {}).get("digest") != image:
            raise _UnfitError("it is not what refers to this image")
        if len(bundle) > 1:
            raise _UnfitError("it carries several bundles: expected one")
        return bundle[0]

    def _bundle(self, repository: Repository, image: Digest, digest: Digest, left: int) -> bytes | None:
        layer = self._layer(repository, image, digest)
        if layer is None:
            return None
        size, named = layer.get("size"), str(layer.get("digest"))
        if not _DIGEST.fullmatch(named):
            raise _UnfitError("its bundle has no digest")
        if not isinstance(size, int) or size > min(left, MOST_BUNDLE_BYTES):
            raise _UnfitError(f"its bundle has {size} bytes, more than is read")
        answer = self._registries.ask("GET", repository, f"blobs/{named}", most=MOST_BUNDLE_BYTES)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise _UnfitError("its bundle is gone")
        answer.raise_for_status()
        if digest_of(answer.content) != named:
            raise _UnfitError("its bundle was changed: it has not the digest that it is named by")
        return answer.content

    def _carries(self, repository: Repository, digest: Digest, bundle: Digest) -> bool:
        manifest = self._registries.manifest(repository, digest)
        layers = _described(_fields(manifest.content).get("layers")) if manifest else []
        return any(one.get("digest") == bundle for one in layers)

    def _upload(self, repository: Repository, blob: bytes) -> None:
        digest = digest_of(blob)
        if self._registries.ask("HEAD", repository, f"blobs/{digest}").status_code == httpx.codes.OK:
            return
        begun = self._registries.ask("POST", repository, "blobs/uploads/")
        begun.raise_for_status()
        where = begun.url.join(begun.headers["location"])
        if where.netloc != begun.url.netloc:
            raise RefusedError(f"{repository.host} wants uploads at {where.host}: expected them at itself")
        path = where.copy_merge_params({"digest": digest}).raw_path.decode()
        headers = {"Content-Type": "application/octet-stream"}
        self._registries.ask("PUT", repository, path, headers, blob).raise_for_status()

    # -- the index of a registry that lists no referrers itself

    def _index(self, repository: Repository, image: Digest, referrer: Digest) -> None:
        """List a referrer under the image's own tag, where the registry has no list of its own."""
        if self._referrers(repository, image) is not None:
            return
        with self._indexing:
            for _ in range(_TRIES):
                listed = self._tagged(repository, image)
                if any(one.get("digest") == referrer for one in listed):
                    return
                manifest = self._registries.manifest(repository, referrer)
                if manifest is None:
                    break
                # Somebody else may write at the same time: so look again.
                self._registries.tag(repository, _index_of([*listed, _entry(manifest)]), _tag(image))
        raise httpx.TransportError(f"{repository}:{_tag(image)} does not keep what is written to it")

    def _forget(self, repository: Repository, image: Digest, referrers: set[Digest]) -> None:
        with self._indexing:
            index = self._registries.manifest(repository, _tag(image))
            if index is None:
                return
            left = [one for one in _manifests(index.content) if one.get("digest") not in referrers]
            if left:
                self._registries.tag(repository, _index_of(left), _tag(image))
            else:
                self._registries.delete(repository, index.digest)


class _UnfitError(Exception):
    """A referrer that proves nothing, and why."""


def _tag(image: Digest) -> str:
    return image.replace(":", "-")


def _fields(content: bytes) -> Fields:
    try:
        fields = json.loads(content)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _described(value: object) -> list[Fields]:
    """Take it for a list of descriptors, or for an empty one."""
    return value if isinstance(value, list) and all(isinstance(one, dict) for one in value) else []


def _manifests(index: bytes) -> list[Fields]:
    return _described(_fields(index).get("manifests"))


def _referrer(subject: Manifest, bundle: bytes) -> Manifest:
    statement = Statement.parse(Bundle.parse(bundle).dsse_envelope.payload)
    return _manifest(
        MANIFEST,
        artifactType=BUNDLE_TYPE,
        config=_descriptor(EMPTY, _NOTHING),
        layers=[_descriptor(BUNDLE_TYPE, bundle)],
        subject=_descriptor(subject.media_type, subject.content),
        annotations={
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": statement.predicate_type,
            "org.opencontainers.image.created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        },
    )


def _entry(referrer: Manifest) -> Fields:
    fields = _fields(referrer.content)
    described = _descriptor(referrer.media_type, referrer.content)
    return {**described, "artifactType": fields["artifactType"], "annotations": fields["annotations"]}


def _index_of(manifests: list[Fields]) -> Manifest:
    return _manifest(INDEX, manifests=manifests)


def _manifest(media_type: str, **fields: object) -> Manifest:
    content = {"schemaVersion": 2, "mediaType": media_type, **fields}
    return Manifest(json.dumps(content, separators=(",", ":")).encode(), media_type)


def _descriptor(media_type: str, content: bytes) -> Fields:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}
