"""Sealed ledgers in the object store: what was acknowledged when disaster was declared."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from steadfleet_activities.objects import Objects, Words, hex_of
from steadfleet_core.drill.measuring import LedgerEntry, SealedLedger
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Digest, digest_of

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_WORDS = Words("sealed ledgers", "the ledger as it was sealed", "declare a new drill")
_TYPE = "application/jsonl"


class SealedLedgers:
    """Objects `ledgers/<sha256>.jsonl`: a line of canonical JSON an entry, in the order of writing."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._objects = Objects(s3, bucket, _WORDS)

    def put(self, name: str, entries: tuple[LedgerEntry, ...]) -> SealedLedger:
        content = b"".join(map(line_of, entries))
        digest = digest_of(content)
        self._objects.put(_key(digest), content, _TYPE)
        return SealedLedger(
            name=name,
            digest=digest,
            entries=len(entries),
            first_at=entries[0].acknowledged_at if entries else None,
            last_at=entries[-1].acknowledged_at if entries else None,
        )

    def get(self, digest: Digest) -> list[LedgerEntry]:
        """Read what has this digest; raises `RefusedError` where it is gone or was changed."""
        content = self._objects.get(_key(digest), digest)
        try:
            return list(_entries(content.splitlines()))
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise RefusedError(
                f"ledger {digest} is no sealed ledger: {error}; declare a new drill"
            ) from error


def line_of(entry: LedgerEntry) -> bytes:
    """Write what `canonical` writes, at a tenth of the time: a month has millions of entries."""
    at = entry.acknowledged_at.isoformat().removesuffix("+00:00")
    return f'{{"acknowledged_at":"{at}Z","sequence":{entry.sequence}}}\n'.encode()


def _entries(lines: Iterable[bytes]) -> Iterator[LedgerEntry]:
    for line in lines:
        read = json.loads(line)
        at = datetime.fromisoformat(read["acknowledged_at"])
        yield LedgerEntry.model_construct(sequence=int(read["sequence"]), acknowledged_at=at)


def _key(digest: Digest) -> str:
    return f"ledgers/{hex_of(digest)}.jsonl"
