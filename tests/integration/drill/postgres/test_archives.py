"""How far an archive of WAL goes without a break."""

from pathlib import Path

from steadfleet_activities.drill.postgres.wal import Archive, Reach, Segment

_SIZE = 1024 * 1024


def segment(timeline: int, number: int) -> Segment:
    return Segment(timeline, number, _SIZE)


def archive(folder: Path, *segments: Segment, history: str = "") -> Archive:
    for one in segments:
        with (folder / one.name).open("wb") as file:
            file.truncate(_SIZE)
    if history:
        (folder / "00000002.history").write_text(history)
    return Archive(folder)


def test_a_name_and_its_number_are_the_same_segment() -> None:
    for size in (_SIZE, 16 * _SIZE):
        for name in ("000000010000000000000007", "0000000A0000002A000000FF"):
            found = Segment.named(name, size)
            assert found is not None
            assert found.name == name
    assert Segment.named("00000002.history", _SIZE) is None
    assert Segment.named("000000010000000000000007.partial", _SIZE) is None


def test_an_unbroken_archive_reaches_its_newest_segment(tmp_path: Path) -> None:
    found = archive(tmp_path, *(segment(1, number) for number in range(2, 6)))

    assert found.reach(segment(1, 3)) == Reach(segment(1, 5), segment(1, 5))


def test_the_first_segment_that_is_missing_is_named(tmp_path: Path) -> None:
    found = archive(tmp_path, segment(1, 3), segment(1, 5), segment(1, 7))

    assert found.reach(segment(1, 3)) == Reach(segment(1, 3), segment(1, 7), segment(1, 4))
    assert found.reach(segment(1, 2)).last is None


def test_what_the_backup_brings_itself_counts(tmp_path: Path) -> None:
    archive(tmp_path, segment(1, 4))
    found = Archive(tmp_path, [(segment(1, 3).name, _SIZE), ("archive_status", 4096)])

    assert found.reach(segment(1, 3)).missing is None


def test_a_segment_that_is_half_written_is_not_there_yet(tmp_path: Path) -> None:
    found = archive(tmp_path, segment(1, 3))
    (tmp_path / segment(1, 4).name).write_bytes(b"half")

    assert Archive(tmp_path).reach(segment(1, 3)) == found.reach(segment(1, 3))


def test_a_switch_of_timelines_is_followed_and_what_came_after_it_is_not(tmp_path: Path) -> None:
    old = [segment(1, number) for number in range(3, 9)]
    history = "1\t0/500000\tno recovery target specified\n"
    found = archive(tmp_path, *old, segment(2, 5), segment(2, 6), history=history)

    assert found.reach(segment(1, 3)) == Reach(segment(2, 6), segment(2, 6))


def test_a_gap_on_the_new_timeline_is_not_filled_by_the_old_one(tmp_path: Path) -> None:
    old = [segment(1, number) for number in range(3, 9)]
    history = "1\t0/500000\tno recovery target specified\n"
    found = archive(tmp_path, *old, segment(2, 5), segment(2, 7), history=history)

    assert found.reach(segment(1, 3)).last == segment(2, 5)
    assert found.reach(segment(1, 3)).missing is not None
