"""Packed sources: the same files are the same bytes, and nothing leaves or enters by a side door."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadfleet_core.errors import ContractError, RefusedError
from steadfleet_core.image import sources
from steadfleet_core.image.sources import MOST_FILES, pack, unpack
from steadfleet_core.model import digest_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "image"
    (folder / "scripts").mkdir(parents=True)
    (folder / "web.pkr.hcl").write_text("template")
    (folder / "scripts" / "setup.sh").write_text("#!/bin/sh\n")
    (folder / "scripts" / "setup.sh").chmod(0o700)
    (folder / "scripts" / "note.txt").write_text("ü")
    return folder


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return whole.getvalue()


def test_what_was_packed_is_unpacked_with_its_executable_bit(folder: Path, tmp_path: Path) -> None:
    into = tmp_path / "there"

    names = unpack(pack(folder, ["web.pkr.hcl", "scripts"]), into)

    assert names == ("scripts/note.txt", "scripts/setup.sh", "web.pkr.hcl")
    assert (into / "scripts" / "note.txt").read_text() == "ü"
    assert [(into / name).stat().st_mode & 0o777 for name in names] == [0o644, 0o755, 0o644]


HERE = Path(__file__).parent
NAMES = [Path(__file__).name, "test_model.py", "./test_plan.py", "test_plan.py"]


@given(st.permutations(NAMES))
def test_order_of_the_names_makes_no_difference(names: list[str]) -> None:
    assert pack(HERE, names) == pack(HERE, NAMES)


def test_who_packs_when_and_under_which_umask_makes_no_difference(folder: Path) -> None:
    before = pack(folder, ["web.pkr.hcl", "scripts"])
    for path in folder.rglob("*.*"):
        os.utime(path, (1, 1))
    (folder / "web.pkr.hcl").chmod(0o600)

    assert pack(folder, ["scripts", "web.pkr.hcl"]) == before


@pytest.mark.parametrize("change", ["content", "name", "executable"])
def test_each_difference_that_matters_is_another_digest(folder: Path, change: str) -> None:
    before = digest_of(pack(folder, ["scripts"]))
    script = folder / "scripts" / "note.txt"
    match change:
        case "content":
            script.write_text("u")
        case "name":
            script.rename(script.with_name("other.txt"))
        case "executable":
            script.chmod(0o755)

    assert digest_of(pack(folder, ["scripts"])) != before


def test_packed_bytes_are_the_same_in_every_release(tmp_path: Path) -> None:
    """The digest of an order rests on them: a change here is another order for the same files."""
    (tmp_path / "a").write_text("1")

    tar = gzip.decompress(pack(tmp_path, ["a"]))

    assert digest_of(tar) == "sha256:f7333dba604a5beb7922f3e8a2b61867fa52e305ae5ca9bafbf3993267815536"


def test_everything_that_is_missing_is_said_at_once(folder: Path) -> None:
    with pytest.raises(ContractError) as refused:
        pack(folder, ["web.pkr.hcl", "nothing.sh", "scripts/none", "../etc", "/etc/passwd"])

    assert [problem.split(":")[0] for problem in refused.value.problems] == [
        "nothing.sh",
        "scripts/none",
        "../etc",
        "/etc/passwd",
    ]
    assert f"there is no such file in {folder}" in refused.value.problems[0]


def test_link_inside_is_followed_and_link_out_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (folder / "inside").symlink_to("web.pkr.hcl")
    (folder / "scripts" / "out").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)

    assert unpack(pack(folder, ["inside"]), tmp_path / "there") == ("inside",)
    assert (tmp_path / "there" / "inside").read_text() == "template"
    for name in ("scripts", "scripts/out", "up", "up/secret"):
        with pytest.raises(ContractError, match="link out of"):
            pack(folder, [name])


def test_link_to_a_folder_and_what_is_no_file_are_refused(folder: Path) -> None:
    (folder / "scripts" / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe")

    with pytest.raises(ContractError, match="is a link to a folder"):
        pack(folder, ["scripts"])
    with pytest.raises(ContractError, match="is no file"):
        pack(folder, ["pipe"])


def test_too_much_is_refused_with_the_sizes(folder: Path) -> None:
    (folder / "large.bin").write_bytes(os.urandom(1_100_000))

    with pytest.raises(RefusedError, match=r"at most 1000000.*large\.bin \(1100000 bytes\)"):
        pack(folder, ["large.bin", "web.pkr.hcl"])


def test_too_much_of_nothing_is_refused_before_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MOST_UNPACKED", 1000)
    (folder / "zeros").write_bytes(bytes(1001))

    with pytest.raises(RefusedError, match=r"at most 1000 files and 1000 bytes; the largest are zeros"):
        pack(folder, ["zeros"])


@pytest.mark.parametrize("name", ["/etc/passwd", "../out", "a/../../out"])
def test_path_that_leads_out_is_not_unpacked(name: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no file below one folder"):
        unpack(archive((tarfile.TarInfo(name), b"x")), tmp_path / "there")

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_only_files_are_unpacked(kind: bytes, tmp_path: Path) -> None:
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, "/etc/passwd"

    with pytest.raises(RefusedError, match="no file below one folder"):
        unpack(archive((info, b"")), tmp_path / "there")


def test_bomb_is_refused_before_it_goes_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_UNPACKED", 1000)
    monkeypatch.setattr(sources, "_TAR_OVERHEAD", 4096)

    with pytest.raises(RefusedError, match="more than 1000 bytes"):
        unpack(archive((tarfile.TarInfo("zeros"), bytes(1_000_000))), tmp_path)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    many = archive(*((tarfile.TarInfo(str(number)), b"") for number in range(MOST_FILES + 1)))

    with pytest.raises(RefusedError, match=f"{MOST_FILES + 1} files"):
        unpack(many, tmp_path)


NO_ARCHIVES = {
    "nothing": b"",
    "text": b"no archive",
    "no tar": gzip.compress(b"no tar"),
    "cut off": archive((tarfile.TarInfo("a"), b"x" * 9000))[:-20],
    "file and folder": archive((tarfile.TarInfo("a"), b""), (tarfile.TarInfo("a/b"), b"")),
}


@pytest.mark.parametrize("name", NO_ARCHIVES)
def test_what_is_no_archive_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot be unpacked"):
        unpack(NO_ARCHIVES[name], tmp_path)
