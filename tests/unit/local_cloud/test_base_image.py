from pathlib import Path

import pytest

from steadfleet_local_cloud import base_image
from steadfleet_local_cloud.apt_sources import Source
from steadfleet_local_cloud.base_image import BaseImage, ensure_base_image
from steadfleet_local_cloud.engine import Done, Engine
from steadfleet_local_cloud.errors import BaseImageError


class NoImages(Engine):
    """An engine that has no image, and to which none may be given."""

    def __init__(self) -> None:
        pass

    def call(self, *arguments: str, **_: object) -> Done:
        assert arguments[:2] == ("image", "inspect"), arguments
        return Done(1, "", "No such image")


def install(folder: Path, script: str) -> None:
    program = folder / "mmdebstrap"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the only folder in which programs are found, and an empty cache."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(
        base_image.BaseImage, "of_this_system", classmethod(lambda _: BaseImage("debian", "12", "bookworm"))
    )
    monkeypatch.setattr(
        base_image, "read_sources", lambda _: [Source("http://a.example", "bookworm", ("main",))]
    )
    return folder


def test_without_mmdebstrap_it_is_said_how_to_get_it(programs: Path) -> None:
    with pytest.raises(BaseImageError, match="apt-get install mmdebstrap"):
        ensure_base_image(NoImages())


def test_what_mmdebstrap_complains_of_is_told(programs: Path) -> None:
    install(programs, "echo 'I: fine so far' >&2; echo 'E: mirror not found' >&2; exit 25")

    with pytest.raises(BaseImageError, match="E: mirror not found") as refused:
        ensure_base_image(NoImages())
    assert "fine so far" not in str(refused.value)


def test_an_empty_tarball_is_never_imported_nor_kept(programs: Path, tmp_path: Path) -> None:
    install(programs, 'for word; do case $word in */base.tar) : >"$word";; esac; done')

    with pytest.raises(BaseImageError, match="too small"):
        ensure_base_image(NoImages())
    assert list((tmp_path / "cache" / "steadfleet").iterdir()) == []


def test_a_system_without_a_mirror_of_its_release_is_refused(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(programs, "exit 0")
    monkeypatch.setattr(base_image, "read_sources", lambda _: [])

    with pytest.raises(BaseImageError, match="no source in /etc/apt serves bookworm"):
        ensure_base_image(NoImages())


def test_the_tag_changes_with_the_release_and_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    bookworm = BaseImage("debian", "12", "bookworm")
    before = bookworm.tag

    assert bookworm.name == "debian-12-base"
    assert BaseImage("debian", "13", "trixie").tag != before
    monkeypatch.setattr(base_image, "_PACKAGES", ("python3",))
    assert bookworm.tag != before
    assert BaseImage("debian", "", "sid").name == "debian-base"
