"""What the operator's pages say of settings, limits and commands is what is there."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from steadfleet_workflows.visibility import KEYS

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted((REPOSITORY / "docs" / "operations").glob("*.md"))
DYNAMIC = REPOSITORY / "deploy" / "self-host" / "server" / "dynamic.yaml"
MOST_SYMPTOMS = 30
NUMBERS = {"one": 1, "three": 3, "five": 5}


def sizing() -> str:
    return (REPOSITORY / "docs" / "operations" / "sizing.md").read_text()


def test_every_dynamic_setting_is_explained_with_its_value() -> None:
    settings = yaml.safe_load(DYNAMIC.read_text())
    explained = dict(re.findall(r"^\| `([\w.]+)` \| ([^|]+) \|", sizing(), re.MULTILINE))

    assert {key: str(value[0]["value"]).lower() for key, value in settings.items()} == {
        key: explained.get(key) for key in settings
    }


def test_the_search_attributes_are_counted_as_they_are() -> None:
    kinds = Counter(key.indexed_value_type.name for key in KEYS)
    told = re.search(r"ours\s+take (\w+), (\w+) and (\w+)\.", sizing())

    assert told is not None
    assert [NUMBERS[word] for word in told.groups()] == [kinds["KEYWORD"], kinds["INT"], kinds["TEXT"]]


def test_there_are_no_more_symptoms_than_one_reads() -> None:
    page = (REPOSITORY / "docs" / "operations" / "troubleshooting.md").read_text()
    rows = [line for line in page.splitlines() if re.match(r"\| (?!---|symptom|in the failure)", line)]

    assert 20 <= len(rows) <= MOST_SYMPTOMS


def commands_on(page: Path) -> set[str]:
    """Return what begins like a command of ours, in a code span or on a line of a code block."""
    text = page.read_text()
    blocks = "\n".join(re.findall(r"^```$(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    word = r"((?:steadfleet|campaign)(?: [a-z][a-z-]+)+)"
    return {*re.findall(f"`{word}", text), *re.findall(f"^{word}", blocks, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_on_a_page_exists(page: Path) -> None:
    reference = (REPOSITORY / "docs" / "cli.md").read_text()
    exist = set(re.findall(r"^## `(\w+ [\w -]+)`$", reference, re.MULTILINE))

    assert {one for one in commands_on(page) if not any(one.startswith(known) for known in exist)} == set()


def test_the_pages_name_commands_at_all() -> None:
    assert len({one for page in PAGES for one in commands_on(page)}) >= 8
