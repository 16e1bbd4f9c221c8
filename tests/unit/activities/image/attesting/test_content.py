"""The content digest is over what a disk holds: not over how, or in what order, it is stored and read."""

import asyncio
import base64
import hashlib
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from steadfleet_activities.image.attesting import content
from steadfleet_activities.image.attesting.content import AT_ONCE, content_of
from steadfleet_core.errors import RefusedError
from steadfleet_signing.ami import Disk

BLOCK = 1024
ROOT, DATA = Disk("/dev/xvda", "snap-1"), Disk("/dev/xvdb", "snap-2")


@dataclass
class FakeEbs:
    """Snapshots in memory, whose pages are as short as a test wants."""

    snapshots: dict[str, dict[int, bytes]]
    page: int = 2
    volume_size: int = 8
    damaged: set[int] = field(default_factory=set)
    short: set[int] = field(default_factory=set)
    wrong_token: bool = False
    reading: int = 0
    most_at_once: int = 0

    def list_snapshot_blocks(self, *, SnapshotId: str, MaxResults: int, NextToken: str = "0") -> Any:  # noqa: N803
        stored = sorted(self.snapshots[SnapshotId])
        start = int(NextToken)
        listed = [{"BlockIndex": one, "BlockToken": f"{SnapshotId}:{one}"} for one in stored]
        rest = start + self.page
        token = {"NextToken": str(rest)} if rest < len(stored) else {}
        size = {"BlockSize": BLOCK, "VolumeSize": self.volume_size}
        return {"Blocks": listed[start:rest], **size, **token}

    def get_snapshot_block(self, *, SnapshotId: str, BlockIndex: int, BlockToken: str) -> Any:  # noqa: N803
        assert f"{SnapshotId}:{BlockIndex}" == BlockToken
        self.reading += 1
        self.most_at_once = max(self.most_at_once, self.reading)
        block = self.snapshots[SnapshotId][BlockIndex]
        checksum = base64.b64encode(hashlib.sha256(block).digest()).decode()
        if BlockIndex in self.damaged:
            block = b"x" + block[1:]
        self.reading -= 1
        return {"BlockData": BytesIO(block[:-1] if BlockIndex in self.short else block), "Checksum": checksum}


def block(of: str) -> bytes:
    return of.encode().ljust(BLOCK, b"\0")


async def measured(*disks: Disk, said: list[str] | None = None, **snapshots: Any) -> str:
    options = {name: snapshots.pop(name) for name in list(snapshots) if not name.startswith("snap")}
    held = {name.replace("_", "-"): blocks for name, blocks in snapshots.items()}
    said = said if said is not None else []
    return await content_of(FakeEbs(held, **options), disks or (ROOT,), said.append)  # type: ignore[arg-type]


async def test_it_is_what_the_documentation_says() -> None:
    lines = [
        "https://steadfleet.dev/ebs-content/v1",
        f"disk /dev/xvda {BLOCK} 8",
        f"0 {hashlib.sha256(block('a')).hexdigest()}",
        f"7 {hashlib.sha256(block('b')).hexdigest()}",
    ]
    expected = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()

    assert await measured(snap_1={7: block("b"), 0: block("a")}) == f"sha256:{expected}"


async def test_a_block_of_zeros_is_the_same_as_none() -> None:
    sparse = await measured(snap_1={0: block("a")})

    assert await measured(snap_1={0: block("a"), 3: bytes(BLOCK)}) == sparse


async def test_pages_and_the_order_of_disks_do_not_count() -> None:
    blocks = {number: block(str(number)) for number in range(9)}
    first = await measured(ROOT, DATA, snap_1=blocks, snap_2={1: block("c")}, page=1)

    assert await measured(DATA, ROOT, snap_1=blocks, snap_2={1: block("c")}, page=100) == first


async def test_whatever_differs_gives_another_digest() -> None:
    base = {0: block("a"), 1: block("b")}
    digests = [
        await measured(snap_1=base),
        await measured(snap_1={0: block("b"), 1: block("a")}),
        await measured(snap_1={0: block("a"), 2: block("b")}),
        await measured(snap_1={0: block("a")}),
        await measured(snap_1={0: block("a"), 1: block("B")}),
        await measured(snap_1=base, volume_size=9),
        await measured(Disk("/dev/sda1", "snap-1"), snap_1=base),
        await measured(ROOT, DATA, snap_1=base, snap_2={}),
        await measured(ROOT, DATA, snap_1={0: block("a")}, snap_2={1: block("b")}),
    ]

    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("fault", [{"damaged": {1}}, {"short": {1}}])
async def test_what_arrives_damaged_is_an_error_to_try_again(fault: dict[str, Any]) -> None:
    with pytest.raises(ApplicationError, match="block 1 is not what its checksum says") as failed:
        await measured(snap_1={0: block("a"), 1: block("b")}, **fault)
    assert not failed.value.non_retryable


async def test_progress_is_told_over_all_disks() -> None:
    said: list[str] = []

    await measured(ROOT, DATA, said=said, snap_1={0: block("a"), 1: block("b")}, snap_2={1: block("c")})

    assert said == ["block 1 of 3", "block 2 of 3", "block 3 of 3"]


async def test_not_more_blocks_are_read_at_once_than_allowed() -> None:
    ebs = FakeEbs({"snap-1": {number: block(str(number)) for number in range(100)}})
    ebs.most_at_once = 0

    await content_of(ebs, (ROOT,), lambda _: None)  # type: ignore[arg-type]

    assert 1 <= ebs.most_at_once <= AT_ONCE


async def test_a_cancel_ends_the_reading() -> None:
    ebs = FakeEbs({"snap-1": {number: block(str(number)) for number in range(1000)}})
    said: list[str] = []
    begun = asyncio.Event()

    def say(step: str) -> None:
        said.append(step)
        begun.set()

    reading = asyncio.create_task(content_of(ebs, (ROOT,), say))  # type: ignore[arg-type]
    await begun.wait()
    reading.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reading
    assert len(said) < 1000


async def test_a_device_that_could_be_taken_for_more_is_refused() -> None:
    with pytest.raises(RefusedError, match="without spaces"):
        await measured(Disk("/dev/xvda 1024 8\n0", "snap-1"), snap_1={0: block("a")})


async def test_a_digest_that_forgets_the_blocks_number_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A planted fault: were only the blocks hashed, moving one would go unseen, and the test above fails."""
    original = content._Reading.digests

    async def renumbered(self: Any, listing: Any) -> dict[int, bytes]:
        found = await original(self, listing)
        return dict(enumerate(sorted(found.values())))

    monkeypatch.setattr(content._Reading, "digests", renumbered)

    with pytest.raises(AssertionError):
        await test_whatever_differs_gives_another_digest()
