"""What an AMI's snapshots hold: a digest over their blocks, read through the EBS direct API.

SHA-256 of these lines, each ended by a newline; disks by device name, blocks by number, all-zero
blocks left out, since whether one is stored is not content:

    https://steadfleet.dev/ebs-content/v1
    disk <device> <bytes in a block> <GiB of the volume>
    <number of the block> <SHA-256 of the block, in hexadecimal>
"""

import asyncio
import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from temporalio.exceptions import ApplicationError

from steadfleet_activities.image.platforms import Say
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Digest
from steadfleet_durable import unbroken
from steadfleet_signing.ami import Disk

if TYPE_CHECKING:
    from mypy_boto3_ebs.client import EBSClient
    from mypy_boto3_ebs.type_defs import BlockTypeDef

CONTENT_TYPE = "https://steadfleet.dev/ebs-content/v1"
AT_ONCE = 16
"""Blocks read at a time: AWS allows an account 1,000 reads a second, and a read takes some 20 ms."""

_PAGE = 10_000


@dataclass(frozen=True)
class _Listing:
    """Which blocks of a disk are stored."""

    disk: Disk
    block_size: int
    volume_size: int  # GiB
    blocks: tuple["BlockTypeDef", ...]


async def content_of(ebs: "EBSClient", disks: Sequence[Disk], say: Say) -> Digest:
    """Read every stored block of the disks, several at a time."""
    reading = _Reading(ebs, say)
    ordered = sorted(disks, key=lambda disk: disk.device)
    listings = [await unbroken(reading.listed, disk) for disk in ordered]
    content = hashlib.sha256(f"{CONTENT_TYPE}\n".encode())
    for listing in listings:
        content.update(_heading(listing))
        for index, digest in sorted((await reading.digests(listing)).items()):
            content.update(f"{index} {digest.hex()}\n".encode())
    return f"sha256:{content.hexdigest()}"


@dataclass
class _Reading:
    ebs: "EBSClient"
    say: Say
    total: int = field(default=0, init=False)
    done: int = field(default=0, init=False)

    def listed(self, disk: Disk) -> _Listing:
        blocks: list[BlockTypeDef] = []
        sizes: set[tuple[int, int]] = set()
        following: dict[str, Any] = {}
        while True:
            page = self.ebs.list_snapshot_blocks(SnapshotId=disk.snapshot, MaxResults=_PAGE, **following)
            blocks += page["Blocks"]
            sizes.add((page["BlockSize"], page["VolumeSize"]))
            if not page.get("NextToken"):
                break
            following = {"NextToken": page["NextToken"]}
        if len(sizes) != 1 or len({block["BlockIndex"] for block in blocks}) != len(blocks):
            raise _damaged(disk, "lists a block twice, or sizes that differ from page to page")
        ((block_size, volume_size),) = sizes
        self.total += len(blocks)
        return _Listing(disk, block_size, volume_size, tuple(blocks))

    async def digests(self, listing: _Listing) -> dict[int, bytes]:
        """Return the digest of each block that is not all zeros."""
        found: dict[int, bytes] = {}
        left = iter(listing.blocks)
        workers = [asyncio.create_task(self._work(listing, left, found)) for _ in range(AT_ONCE)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
        return found

    async def _work(self, listing: _Listing, left: "Iterator[BlockTypeDef]", found: dict[int, bytes]) -> None:
        for block in left:
            digest = await unbroken(self._digest, listing, block)
            if digest is not None:
                found[block["BlockIndex"]] = digest
            self.done += 1
            self.say(f"block {self.done} of {self.total}")

    def _digest(self, listing: _Listing, block: "BlockTypeDef") -> bytes | None:
        """Return a block's digest, or None if it is all zeros; what arrived must be what was sent."""
        index = block["BlockIndex"]
        answer = self.ebs.get_snapshot_block(
            SnapshotId=listing.disk.snapshot, BlockIndex=index, BlockToken=block["BlockToken"]
        )
        data = answer["BlockData"].read()
        digest = hashlib.sha256(data).digest()
        if len(data) != listing.block_size or base64.b64encode(digest).decode() != answer["Checksum"]:
            raise _damaged(listing.disk, f"block {index} is not what its checksum says")
        return None if data == bytes(listing.block_size) else digest


def _heading(listing: _Listing) -> bytes:
    device = listing.disk.device
    if len(device.split()) != 1:
        raise RefusedError(f"a disk is called {device!r}: expected a device name without spaces")
    return f"disk {device} {listing.block_size} {listing.volume_size}\n".encode()


def _damaged(disk: Disk, how: str) -> ApplicationError:
    return ApplicationError(f"snapshot {disk.snapshot} of {disk.device}: {how}", type="BlockDamagedError")
