"""The pages say what is there: links and images lead somewhere, commands and variables exist."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
FORBIDDEN = {
    "an open end": re.compile(r"\b(TODO|FIXME|XXX)\b"),
    "a path of somebody's machine": re.compile(r"(?<![\w.])/(home|root|work|tmp|Users)/\w"),
}


def pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(REPOSITORY / name for name in listed.stdout.splitlines() if (REPOSITORY / name).exists())


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings get, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    for link in LINK.findall(FENCED.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or not target.is_relative_to(REPOSITORY):
            yield f"{link}: there is no such file"
        elif anchor and anchor not in anchors(target):
            yield f"{link}: the page has no such heading"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_and_images_lead_somewhere_and_nothing_is_left_open(page: Path) -> None:
    assert list(broken_links(page)) == []
    found = {what: sorted(set(wrong.findall(page.read_text()))) for what, wrong in FORBIDDEN.items()}
    assert found == {what: [] for what in FORBIDDEN}


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](missing.md) ![b](missing.png) [c](https://example.org)\n```\n[d](code.md)\n```\n")

    assert len(list(broken_links(page))) == 2


def test_each_target_that_the_pages_name_is_one_of_make_s() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for page in pages()
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }

    assert named - targets == set()
    assert {"demo", "test", "test-all", "up", "down"} <= named


def test_each_command_that_the_readme_lists_exists() -> None:
    reference = (REPOSITORY / "docs" / "cli.md").read_text()
    table = re.findall(r"^\| `campaign ([^|]+)` \|", (REPOSITORY / "README.md").read_text(), re.MULTILINE)
    verbs = {verb for row in table for verb in re.findall(r"[a-z]+", row)}

    assert len(verbs) == 8
    assert {verb for verb in verbs if f"## `campaign {verb}`" not in reference} == set()


def test_every_variable_that_the_code_reads_is_explained() -> None:
    sources = [
        file.read_text()
        for package in ("libs", "services", "activities", "workflows")
        for file in (REPOSITORY / package).rglob("*.py")
    ]
    read = {name for source in sources for name in re.findall(r'"(STEADFLEET_[A-Z_]*[A-Z])["=]', source)} | {
        "TEMPORAL_DEPLOYMENT_NAME",
        "TEMPORAL_WORKER_BUILD_ID",
    }
    explained = set(re.findall(r"\b[A-Z]+_[A-Z_]*[A-Z]\b", (REPOSITORY / "docs" / "running.md").read_text()))

    assert len(read) > 10
    assert read - explained == set()
