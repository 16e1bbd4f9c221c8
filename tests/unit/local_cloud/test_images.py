from pathlib import Path

import pytest

from steadfleet_local_cloud.errors import ContentError
from steadfleet_local_cloud.images import Images, check_content


def release(folder: Path) -> Path:
    (folder / "shared.py").write_text("print('hello')")
    content = folder / "release"
    content.mkdir()
    (content / "run.py").symlink_to("../shared.py")
    return content


def test_an_image_is_self_contained(tmp_path: Path) -> None:
    images = Images(tmp_path / "images")
    images.add("ami-1", release(tmp_path))
    (tmp_path / "shared.py").write_text("changed")

    program = images.content("ami-1") / "run.py"
    assert not program.is_symlink()
    assert program.read_text() == "print('hello')"


def test_a_copy_outlives_its_source(tmp_path: Path) -> None:
    images = Images(tmp_path / "images")
    images.add("ami-1", release(tmp_path))
    images.copy("ami-1", "ami-2")
    images.remove("ami-1")

    assert "ami-1" not in images
    assert "ami-2" in images


def test_a_folder_without_a_runnable_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("not executable")

    with pytest.raises(ContentError, match="executable file `run`"):
        check_content(tmp_path)
    with pytest.raises(ContentError, match="not a folder"):
        check_content(tmp_path / "run")


def test_nothing_is_no_image(tmp_path: Path) -> None:
    assert "" not in Images(tmp_path)
