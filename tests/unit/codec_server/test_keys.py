"""Making keys, and changing over to a new one."""

import stat
from pathlib import Path

import pytest

from steadfleet_codec_server.main import main
from steadfleet_durable.encryption_keys import Keyring


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "payload-keys"


def run(*words: str) -> None:
    main(["key", *words])


def test_a_new_key_goes_last_so_that_all_can_decrypt_before_any_encrypts(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("new", "2026-10", str(file))
    run("new", "2026-11", str(file))
    run("first", "2026-11", str(file))

    keyring = Keyring.from_file(file)
    assert (keyring.current, list(keyring.keys)) == ("2026-11", ["2026-11", "2026-10"])
    assert len(set(keyring.keys.values())) == 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    said = capsys.readouterr().out
    assert said.splitlines()[-2:] == ["2026-11  encrypts and decrypts", "2026-10  decrypts"]
    assert [line.split()[1] for line in file.read_text().splitlines() if line.split()[1] in said] == []


def test_comments_stay(file: Path) -> None:
    run("new", "a", str(file))
    file.write_text(f"# ours\n{file.read_text().rstrip()}")
    run("new", "b", str(file))
    run("first", "b", str(file))

    assert [line.split()[0] for line in file.read_text().splitlines()] == ["b", "#", "a"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("new", "a"), "a second key a"),
        (("new", "a b"), "that is no key id"),
        (("first", "c"), "there is no key c; expected one of a"),
    ],
)
def test_a_mistake_is_told_and_leaves_the_file_as_it_was(
    file: Path, words: tuple[str, ...], said: str
) -> None:
    run("new", "a", str(file))
    before = file.read_text()

    with pytest.raises(SystemExit, match=f"steadfleet-codec-server: .*{said}"):
        run(*words, str(file))
    assert (file.read_text(), [one.name for one in file.parent.iterdir()]) == (before, [file.name])
