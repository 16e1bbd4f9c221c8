"""A log of any length keeps its beginning and its end."""

from pathlib import Path

from steadfleet_activities.image.packer.log import Log


def test_a_short_log_is_whole_and_on_disk_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with Log(path) as log:
        log.write("one")
        assert path.read_text() == "one\n"
        log.write("two\nthree")

    assert path.read_text() == "one\ntwo\nthree\n"


def test_a_long_log_says_what_it_leaves_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with Log(path, most_bytes=40) as log:
        for number in range(100):
            log.write(f"line {number:02}")

    lines = path.read_text().splitlines()
    assert lines == ["line 00", "line 01", "… 96 lines are left out here …", "line 98", "line 99"]


def test_one_long_line_stays_in_its_bounds(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with Log(path, most_bytes=100) as log:
        log.write("x" * 1000)
        log.write("last")

    assert path.stat().st_size <= 200
    assert path.read_text().endswith("\nlast\n")
