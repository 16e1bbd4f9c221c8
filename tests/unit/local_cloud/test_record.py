from pathlib import Path

from steadfleet_local_cloud.record import Record


def test_entries_are_numbered_and_on_disk_at_once(tmp_path: Path) -> None:
    record = Record(tmp_path / "record.jsonl")

    assert [record.append("call", action="A"), record.append("call", action="B")] == [1, 2]
    assert len((tmp_path / "record.jsonl").read_bytes().splitlines()) == 2
    assert [entry["action"] for entry in record.since(1)] == ["B"]
    assert record.since(2) == []
    record.close()


def test_a_new_record_keeps_the_old_one(tmp_path: Path) -> None:
    for name in ("first", "second"):
        record = Record(tmp_path / "record.jsonl")
        record.append("call", action=name)
        record.close()

    kept = next(path for path in tmp_path.iterdir() if path.name.startswith("record-until-"))
    assert '"first"' in kept.read_text()
    assert '"second"' in (tmp_path / "record.jsonl").read_text()
