"""The EBS direct API: snapshots of images are read block by block, as those that were written so."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ebs.models import EBSBackend
from moto.ebs.responses import EBSResponse

from steadfleet_local_cloud.blocks import BLOCK_SIZE, Blocks, checksum
from steadfleet_local_cloud.context import Context
from steadfleet_local_cloud.patches import Patches

_TOKEN_LIFE = timedelta(days=7)
_PAGE_SIZES = range(100, 10_001)


class Ebs:
    """Wrap moto's EBS direct API, which knows only the snapshots that were written through it."""

    def __init__(self, context: Context, patches: Patches) -> None:
        self._blocks = context.blocks
        self._tokens = Tokens()
        patches.wrap(EBSResponse, "list_snapshot_blocks", self._list)
        patches.wrap(EBSResponse, "get_snapshot_block", self._get)
        patches.wrap(EBSBackend, "start_snapshot", _start)

    def _list(self, _original: Any, response: Any) -> ActionResult:
        snapshot_id = response._get_param("SnapshotId")  # noqa: SLF001 - how moto's own actions read theirs
        snapshot = self._snapshot(response, snapshot_id)
        page, rest = self._page(response, snapshot_id, snapshot.written())
        listed = [
            {"BlockIndex": index, "BlockToken": self._tokens.block(snapshot_id, index)} for index in page
        ]
        return ActionResult(
            {
                "Blocks": listed,
                "ExpiryTime": datetime.now(UTC) + _TOKEN_LIFE,
                "VolumeSize": snapshot.volume_size,
                "BlockSize": BLOCK_SIZE,
                "NextToken": rest,
            }
        )

    def _page(self, response: Any, snapshot_id: str, written: list[int]) -> tuple[list[int], str | None]:
        size = int(response._get_param("MaxResults", _PAGE_SIZES[-1]))  # noqa: SLF001 - as above
        start = int(response._get_param("StartingBlockIndex", 0))  # noqa: SLF001 - as above
        token = response._get_param("NextToken")  # noqa: SLF001 - as above
        if size not in _PAGE_SIZES:
            raise Refusal(
                "ValidationException",
                "INVALID_PARAMETER_VALUE",
                f"MaxResults {size} is not between 100 and 10000.",
            )
        if token:
            start = self._tokens.read_page(snapshot_id, token)
        left = [index for index in written if index >= start]
        rest = self._tokens.page(snapshot_id, left[size]) if len(left) > size else None
        return left[:size], rest

    def _get(self, _original: Any, response: Any) -> ActionResult:
        snapshot_id = response._get_param("SnapshotId")  # noqa: SLF001 - as above
        index = int(response._get_param("BlockIndex"))  # noqa: SLF001 - as above
        snapshot = self._snapshot(response, snapshot_id)
        if response._get_param("BlockToken") != self._tokens.block(snapshot_id, index):  # noqa: SLF001 - as above
            raise Refusal(
                "ValidationException", "INVALID_BLOCK_TOKEN", "The block token is not valid for this block."
            )
        block = snapshot.read(index)
        if block is None:
            raise Refusal("ValidationException", "INVALID_BLOCK", f"Block {index} was never written.")
        return ActionResult(
            {
                "DataLength": len(block),
                "BlockData": block,
                "Checksum": checksum(block),
                "ChecksumAlgorithm": "SHA256",
            }
        )

    def _snapshot(self, response: Any, snapshot_id: str) -> Readable:
        backend = response.ebs_backend
        known = backend.ec2_backend.snapshots.get(snapshot_id)
        if known is None:
            raise Refusal(
                "ResourceNotFoundException",
                "SNAPSHOT_NOT_FOUND",
                f"The snapshot '{snapshot_id}' does not exist.",
            )
        if snapshot_id in backend.snapshots:
            return Written(backend.snapshots[snapshot_id])
        if known.status != "completed":
            raise Refusal(
                "ValidationException",
                "INVALID_SNAPSHOT_ID",
                f"The snapshot '{snapshot_id}' is {known.status}.",
            )
        if snapshot_id not in self._blocks:
            raise Refusal(
                "ResourceNotFoundException",
                "SNAPSHOT_NOT_FOUND",
                f"The snapshot '{snapshot_id}' has no content in this local cloud.",
            )
        return OfImage(self._blocks, snapshot_id, known.volume_size)


def _start(original: Any, backend: Any, *args: Any, **options: Any) -> Any:
    """Start a snapshot without a volume, which moto makes for it and leaves behind."""
    known = set(backend.ec2_backend.volumes)
    snapshot = original(backend, *args, **options)
    for volume_id in set(backend.ec2_backend.volumes) - known:
        backend.ec2_backend.delete_volume(volume_id)
    return snapshot


class Readable(ABC):
    """A snapshot's blocks."""

    volume_size: int  # GiB

    @abstractmethod
    def written(self) -> list[int]: ...

    @abstractmethod
    def read(self, index: int) -> bytes | None: ...


@dataclass(frozen=True)
class OfImage(Readable):
    """The snapshot of an image, or a copy of it."""

    blocks: Blocks
    snapshot_id: str
    volume_size: int

    def written(self) -> list[int]:
        return self.blocks.written(self.snapshot_id)

    def read(self, index: int) -> bytes | None:
        return self.blocks.read(self.snapshot_id, index)


class Written(Readable):
    """A snapshot that somebody started and wrote through this API; moto keeps its blocks."""

    def __init__(self, snapshot: Any) -> None:
        self._snapshot = snapshot
        self.volume_size = snapshot.volume_size

    def written(self) -> list[int]:
        return sorted(int(index) for index in self._snapshot.blocks)

    def read(self, index: int) -> bytes | None:
        found = {int(key): bytes(block.block_data) for key, block in self._snapshot.blocks.items()}
        return found.get(index)


class Tokens:
    """Tokens that hold for what they were made for and nothing else."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes()

    def block(self, snapshot_id: str, index: int) -> str:
        digest = hmac.digest(self._secret, f"{snapshot_id}:{index}".encode(), hashlib.sha256)
        return base64.b64encode(digest).decode()

    def page(self, snapshot_id: str, start: int) -> str:
        return base64.b64encode(json.dumps([self.block(snapshot_id, start), start]).encode()).decode()

    def read_page(self, snapshot_id: str, token: str) -> int:
        """Tell where the page of a token begins."""
        try:
            seal, start = json.loads(base64.b64decode(token))
            if seal == self.block(snapshot_id, int(start)):
                return int(start)
        except (ValueError, TypeError, binascii.Error):
            pass
        raise Refusal(
            "ValidationException", "INVALID_PAGE_TOKEN", "The page token is not valid for this snapshot."
        )


class Refusal(ServiceException):
    """With the reason that this API's errors carry."""

    def __init__(self, code: str, reason: str, message: str) -> None:
        super().__init__(code, message)
        self.Reason = reason  # as the API's model has it: moto puts it into the answer
