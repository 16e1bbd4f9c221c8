"""What is kept of a build, small enough for a payload."""

import base64
import gzip

from steadfleet_activities.image.store import ImageStore, Kept
from steadfleet_core.errors import RefusedError
from steadfleet_ports.image import Document, DocumentKind, DocumentRequest

MOST_PACKED = 1_000_000
"""Bytes of a packed document: base64 makes a third more of it, and a payload may have 2 MB."""

_KEPT = {DocumentKind.SBOM: Kept.SBOM, DocumentKind.TESTS: Kept.TESTS, DocumentKind.LOG: Kept.LOG}


def read_document(store: ImageStore, request: DocumentRequest) -> Document:
    """Read it, or raise `RefusedError` when it is too long to travel, or not what was stored."""
    kind = _KEPT[request.kind]
    packed = gzip.compress(store.get(kind, request.digest), mtime=0)
    if len(packed) > MOST_PACKED:
        raise RefusedError(
            f"s3://{store.bucket}/{kind.key(request.digest)} has {len(packed)} bytes packed, expected at "
            f"most {MOST_PACKED}: read it there"
        )
    return Document(content=base64.b64encode(packed).decode())
