import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from steadfleet_local_cloud.canonical import write_folder, write_saved_image


def stream(folder: Path) -> bytes:
    target = io.BytesIO()
    write_folder(folder, target)
    return target.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "b").write_text("b")
    (folder / "a").write_text("a")
    (folder / "sub" / "link").symlink_to("../a")
    return folder


def test_order_and_time_of_making_do_not_matter(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "sub").mkdir(parents=True)
    (other / "sub" / "link").symlink_to("../a")
    (other / "a").write_text("a")
    (other / "b").write_text("b")
    os.utime(other / "a", (0, 0))

    assert stream(folder) == stream(other)


@pytest.mark.parametrize("change", ["bytes", "name", "mode", "empty folder", "link", "gone"])
def test_every_change_of_content_matters(folder: Path, change: str) -> None:
    before = stream(folder)

    match change:
        case "bytes":
            (folder / "a").write_text("A")
        case "name":
            (folder / "a").rename(folder / "c")
        case "mode":
            (folder / "a").chmod(0o755)
        case "empty folder":
            (folder / "empty").mkdir()
        case "link":
            (folder / "sub" / "link").unlink()
            (folder / "sub" / "link").symlink_to("../b")
        case "gone":
            (folder / "b").unlink()

    assert stream(folder) != before


def saved(tag: str, layers: dict[str, bytes], *, backwards: bool = False) -> io.BytesIO:
    """Save an image as the engine might: its own order of members, its own times."""
    members = {
        **{f"{name}/layer.tar": content for name, content in layers.items()},
        "config.json": b'{"cmd": ["serve"]}',
        "repositories": tag.encode(),
    }
    manifest = [
        {"Config": "config.json", "RepoTags": [tag], "Layers": [f"{name}/layer.tar" for name in layers]}
    ]
    members["manifest.json"] = json.dumps(manifest).encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in sorted(members, reverse=backwards):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(members[name]), 1 if backwards else 2
            tar.addfile(entry, io.BytesIO(members[name]))
    archive.seek(0)
    return archive


def image(archive: io.BytesIO) -> bytes:
    target = io.BytesIO()
    write_saved_image(archive, target)
    return target.getvalue()


def test_an_image_is_its_configuration_and_its_layers_from_the_lowest() -> None:
    layers = {"2": b"lower", "1": b"upper"}

    assert image(saved("a:1", layers)) == b'{"cmd": ["serve"]}lowerupper'
    assert image(saved("b:2", layers, backwards=True)) == image(saved("a:1", layers))
    assert image(saved("a:1", {"2": b"lower", "1": b"Upper"})) != image(saved("a:1", layers))
