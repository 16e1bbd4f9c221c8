"""A preview with an engine of its own: the whole stack, and nothing of it afterwards."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from steadfleet_cli.parts import Addresses, port_taken
from steadfleet_cli.preview.own import processes_of

STEADFLEET = str(Path(sys.executable).with_name("steadfleet"))


def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [STEADFLEET, *words], env=os.environ | env, capture_output=True, text=True, check=False
    )


def alive(pid: int) -> bool:
    """Whether it runs: one that has ended may wait for its parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
def test_a_preview_of_its_own_answers_and_leaves_no_process_no_port_and_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "12"
    # A runner that knows production: the preview must not.
    production = {
        "TEMPORAL_ADDRESS": "production.invalid:7233",
        "TEMPORAL_API_KEY": "production.invalid",
        "STEADFLEET_PAYLOAD_KEYS": "/etc/production.invalid",
        "AWS_PROFILE": "production.invalid",
    }
    up = run("preview", "up", "12", "--previews", str(tmp_path), **production)
    try:
        assert (up.returncode, up.stderr) == (0, "")
        addresses = Addresses.read(folder / "stack.json")
        assert addresses is not None
        started = set(processes_of(folder))
        assert not any(b"production.invalid" in Path(f"/proc/{pid}/environ").read_bytes() for pid in started)
        listed = run("campaign", "list", **addresses.environment)
        assert (listed.returncode, listed.stderr) == (0, "")
    finally:
        down = run("preview", "down", "12", "--previews", str(tmp_path))

    assert (down.returncode, down.stdout) == (0, "preview 12 is gone\n")
    assert len(started) >= 8
    assert [pid for pid in started if alive(pid)] == []
    assert not port_taken(addresses.engine)
    assert not port_taken(addresses.cloud)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_still_works_with_the_folder_is_named_and_the_folder_kept(tmp_path: Path) -> None:
    folder = tmp_path / "12"
    folder.mkdir()
    (folder / "preview.json").write_text(
        '{"change": "12", "where": "own", "until": "2026-01-01T00:00:00+00:00"}'
    )
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env={"FOLDER": str(folder / "data")}) as forgotten:
        down = run("preview", "down", "12", "--previews", str(tmp_path))
        forgotten.communicate()

    assert down.returncode == 6
    assert f"processes {forgotten.pid} still work with" in down.stderr
    assert folder.exists()
