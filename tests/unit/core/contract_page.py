"""A contract's page in `docs/`: its tables, held against what the code does."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from steadfleet_core.contract import schema_of
from steadfleet_core.model import Contract

ROOT = Path(__file__).parents[3]


class Row(NamedTuple):
    field: str
    fate: str
    ours: str
    why: str
    test: str = ""


@dataclass(frozen=True)
class Page:
    path: str

    def table_after(self, heading: str) -> list[list[str]]:
        """Return the cells of the first table under a heading, without its head."""
        _, _, text = (ROOT / self.path).read_text().partition(f"\n{heading}\n")
        lines = text[text.index("\n|") :].strip().split("\n\n")[0].splitlines()
        return [[cell.strip().strip("`") for cell in line.strip("|").split(" |")] for line in lines[2:]]

    def rows(self, heading: str) -> list[Row]:
        return [Row(*cells) for cells in self.table_after(heading)]

    def listed(self, heading: str) -> list[str]:
        return sorted(field for row in self.rows(heading) for field in expanded(row.field))


def expanded(field: str) -> list[str]:
    """Expand `a.{b,c}` to `a.b` and `a.c`."""
    match = re.fullmatch(r"(.*)\{(.*)\}", field)
    return [match[1] + part for part in match[2].split(",")] if match else [field]


def schema_fields(
    root: dict[str, Any], schema: dict[str, Any], path: str = ""
) -> Iterator[tuple[str, bool, Any]]:
    """Yield the path of every field that is no mapping of fields, whether it is required, and its default."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    optional = [branch for branch in schema.get("anyOf", ()) if "$ref" in branch]
    for branch in schema.get("oneOf", optional or [schema]):
        if branch is not schema:
            yield from schema_fields(root, branch, path)
        for name, child in branch.get("properties", {}).items():
            here = f"{path}.{name}".removeprefix(".")
            nested = [*schema_fields(root, child, here)]
            if "items" in child:
                nested += schema_fields(root, child["items"], f"{here}[]")
            if not nested or "items" in child:
                yield here, name in branch.get("required", ()), child.get("default")
            yield from nested


def fields_of(kind: type[Contract]) -> list[tuple[str, bool, Any]]:
    schema = schema_of(kind)
    return list(schema_fields(schema, schema))


def parents(fields: set[str]) -> set[str]:
    return {field.rsplit(".", depth)[0] for field in fields for depth in range(4)}
