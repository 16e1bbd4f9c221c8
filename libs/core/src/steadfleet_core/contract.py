"""Read a contract that a person wrote in YAML, and say precisely what is wrong with it.

`python -m steadfleet_core.contract GoldenImage` prints the JSON Schema of a kind.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema

from steadfleet_core.answers import Answers
from steadfleet_core.errors import ContractError
from steadfleet_core.model import Contract, format_duration

C = TypeVar("C", bound=Contract)
Path = tuple[str | int, ...]

MOST_NODES = 20_000
"""Values that a document may have: aliases of aliases could otherwise fill the memory."""
MOST_LEVELS = 50
MOST_SHOWN = 60
_WHOLE = "a mapping of apiVersion, kind, metadata and spec"
REFUSED = "is not built yet and is refused, not ignored"


def read_contract(text: str, source: str, kind: type[C]) -> C:
    """Read `text` as a `kind`; `source` is the name that problems give the file.

    >>> read_contract(path.read_text(), "web.yaml", PatchPolicy)
    """
    document = _Document(source)
    value = document.read(text)
    try:
        # As JSON, strictly: a port of "8080" or true is a mistake, not something to convert.
        contract = kind.model_validate_json(json.dumps(value), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        schema = schema_of(kind)
        for problem in error.errors(include_url=False):
            if problem["type"] != "too_short" or document.shown(problem["loc"]) == "[]":
                document.report(*_explain(problem, schema, document, kind.answers))
    if document.problems:
        raise ContractError(document.lines())
    return contract


class Problem(NamedTuple):
    line: int
    path: str
    value: str
    text: str


@dataclass
class _Document:
    """A YAML text as plain values, with the place of each remembered."""

    source: str
    places: dict[Path, tuple[int, yaml.Node]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def read(self, text: str) -> object:
        """Return the one mapping that the text holds, or raise when there is no telling what it means."""
        documents = self._compose(text)
        if not documents or _plain(documents[0]) is None:
            raise self._unreadable(1, f"is empty: expected {_WHOLE}")
        if len(documents) > 1:
            line = documents[1].start_mark.line + 1
            raise self._unreadable(line, "a second document begins: expected one contract a file")
        root = documents[0]
        if not isinstance(root, yaml.MappingNode):
            line = root.start_mark.line + 1
            raise self._unreadable(line, f"the document: {_show(root)} — expected {_WHOLE}")
        return self._value(root, (), root.start_mark.line + 1, ())

    def _compose(self, text: str) -> list[yaml.Node]:
        try:
            return list(yaml.compose_all(text, yaml.BaseLoader))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._unreadable(mark.line + 1 if mark else 1, f"is not YAML: {error.problem}") from error
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise self._unreadable(line, f"is not YAML: {error.reason}") from error
        except RecursionError as error:
            raise self._unreadable(1, f"expected at most {MOST_LEVELS} levels") from error

    def line_of(self, path: Path) -> int:
        """Return the line where `path` is written, or else the line of what should hold it."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path][0]

    def shown(self, path: Path) -> str:
        return _show(self.places[path][1]) if path in self.places else "(missing)"

    def value_at(self, path: Path) -> str | None:
        node = self.places[path][1] if path in self.places else None
        return str(node.value) if isinstance(node, yaml.ScalarNode) else None

    def report(self, path: Path, text: str) -> None:
        self.problems.append(Problem(self.line_of(path), _dotted(path), self.shown(path), text))

    def lines(self) -> list[str]:
        # A contract of another kind has no other problem: all of its fields would be unknown.
        header = {problem for problem in self.problems if problem.path in {"apiVersion", "kind"}}
        ordered = sorted(header or set(self.problems))
        return [self._line(line, f"{path}: {value} — {text}") for line, path, value, text in ordered]

    def _line(self, line: int, text: str) -> str:
        # What a file says must not break the line, nor reach a terminal as an escape sequence.
        return f"{self.source}:{line}: " + "".join(sign if sign.isprintable() else " " for sign in text)

    def _unreadable(self, line: int, text: str) -> ContractError:
        return ContractError([self._line(line, text)])

    def _value(self, node: yaml.Node, path: Path, line: int, within: tuple[yaml.Node, ...]) -> object:
        if node in within:
            raise self._unreadable(line, f"{_dotted(path)} contains itself through an alias")
        if len(self.places) == MOST_NODES or len(path) == MOST_LEVELS:
            raise self._unreadable(line, f"expected at most {MOST_NODES} values and {MOST_LEVELS} levels")
        self.places[path] = (line, node)
        if not node.tag.startswith("tag:yaml.org,2002:") or node.tag[18:] not in {"str", "seq", "map"}:
            self.report(path, f"tags are not read: expected a plain value without {node.tag}")
        within = (*within, node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, within)
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return [self._value(item, (*path, i), item.start_mark.line + 1, within) for i, item in items]
        return _plain(node)

    def _mapping(
        self, node: yaml.MappingNode, path: Path, within: tuple[yaml.Node, ...]
    ) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            here = (*path, key)
            if not isinstance(key_node, yaml.ScalarNode) or key == "<<":
                found = f"{_dotted(path)}: {_show(key_node)}"
                raise self._unreadable(line, f"{found} — expected a field's name; merge keys are not read")
            if key in values:
                text = f"is written twice: first on line {self.line_of(here)}, expected once"
                self.problems.append(Problem(line, _dotted(here), _show(value_node), text))
                continue
            values[key] = self._value(value_node, here, line, within)
        return values


_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]{1,3})?")


def _plain(node: yaml.Node) -> object:
    """Read a scalar by YAML 1.2: only `true` and `false` are booleans, so `on`, `no` and 1:30 stay text."""
    text = node.value
    if not isinstance(node, yaml.ScalarNode) or node.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _show(node: yaml.Node) -> str:
    """Show a value as one would write it on one line, shortened."""
    text = _flow(node, 4)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


def _flow(node: yaml.Node, depth: int) -> str:
    if isinstance(node, yaml.ScalarNode):
        quoted = node.style is not None or re.search(r"[\s\x00-\x1f]", node.value)
        return (json.dumps(node.value, ensure_ascii=False) if quoted else node.value) or "(empty)"
    if not depth:
        return "…"
    if isinstance(node, yaml.MappingNode):
        pairs = node.value[:MOST_SHOWN]
        return "{" + ", ".join(f"{key.value}: {_flow(value, depth - 1)}" for key, value in pairs) + "}"
    return "[" + ", ".join(_flow(item, depth - 1) for item in node.value[:MOST_SHOWN]) + "]"


def _dotted(path: Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the document"


Schema = dict[str, Any]
Explained = tuple[Path, str]


def _explain(problem: Mapping[str, Any], root: Schema, document: _Document, kind: Answers) -> Explained:
    """Say in plain words what pydantic found: where it is written, and what was expected."""
    path, schema = _follow(root, problem["loc"])
    if problem["type"].startswith("union_tag"):
        path = (*path, "type")
    pattern = re.sub(r"\[\d+\]", "[]", _dotted(path))
    text = f"expected {_expected(schema)}"
    match problem["type"]:
        case "extra_forbidden":
            holder = _follow(root, problem["loc"][:-1])[1]
            return path, _unknown(pattern, str(path[-1]), holder.get("properties", {}), kind)
        case "missing":
            return path, f"is required: {text}"
        case "string_type" if document.value_at(path) is not None:
            text = f"{text}; put the value in quotes"
        case "value_error":
            text = str(problem["ctx"]["error"])
    if document.value_at(path) in kind.unbuilt_values(pattern):
        return path, f"{REFUSED}; {text}"
    return path, text


def _unknown(pattern: str, name: str, known: Iterable[str], answers: Answers) -> str:
    if pattern in answers.not_built:
        return "; ".join(filter(None, [REFUSED, answers.not_built[pattern]]))
    if pattern in answers.moved:
        return f"is not a field here: expected {answers.moved[pattern]}"
    folded = {field.casefold(): field for field in known}
    near = get_close_matches(name.casefold().replace("_", ""), folded, n=1)
    hint = f"did you mean {folded[near[0]]}?" if near else f"expected one of {', '.join(known)}"
    return f"is an unknown field: {hint}"


def _follow(root: Schema, location: Path) -> tuple[Path, Schema]:
    """Walk pydantic's location down the schema, leaving out the tags that it puts in for unions."""
    path: Path = ()
    here = _resolved(root, root)
    for part in location:
        if "discriminator" in here:
            here = _resolved(root, {"$ref": here["discriminator"]["mapping"][part]})
            continue
        path = (*path, part)
        children = here.get("items") if isinstance(part, int) else here.get("properties", {}).get(part)
        here = _resolved(root, children or here.get("additionalProperties") or {})
    return path, here


def _resolved(root: Schema, schema: Schema) -> Schema:
    if "$ref" in schema:
        return _resolved(root, root["$defs"][schema["$ref"].rpartition("/")[2]])
    branches = [branch for branch in schema.get("anyOf", ()) if branch != {"type": "null"}]
    return {**schema, **_resolved(root, branches[0])} if len(branches) == 1 else schema


def _expected(schema: Schema) -> str:
    match schema:
        case {"discriminator": {"mapping": words}} | {"enum": words}:
            return f"one of {', '.join(words)}"
        case {"const": word}:
            return str(word)
        case {"properties": fields}:
            return f"a mapping of {', '.join(fields)}"
        case {"description": words}:
            return str(words)
    not_empty = {"minItems", "minLength"} & schema.keys()
    words = _TYPES.get(schema.get("type", ""), "") or _expected_number(schema)
    return words + (", not empty" if not_empty else "")


_TYPES = {"array": "a list", "boolean": "true or false", "object": "names with text", "string": "text"}


def _expected_number(schema: Schema) -> str:
    noun = "a whole number" if schema.get("type") == "integer" else "a number"
    bounds = {"minimum": " at least", "exclusiveMinimum": " more than", "maximum": " at most"}
    return noun + " and".join(f"{words} {schema[key]:g}" for key, words in bounds.items() if key in schema)


class _SchemaGenerator(GenerateJsonSchema):
    """Write defaults as a person would, and no titles that only repeat the field."""

    def encode_default(self, dft: object) -> object:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002
        return False


def schema_of(kind: type[Contract]) -> Schema:
    schema = kind.model_json_schema(schema_generator=_SchemaGenerator)
    identity = f"https://steadfleet.dev/schema/v1/{kind.__name__}.json"
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": identity, **schema}


if __name__ == "__main__":
    from steadfleet_core.kinds import KINDS  # the reader itself knows none

    if sys.argv[1:] not in ([kind] for kind in KINDS):
        sys.exit(f"usage: python -m steadfleet_core.contract {'|'.join(KINDS)}")
    sys.stdout.write(json.dumps(schema_of(KINDS[sys.argv[1]]), indent=2, ensure_ascii=False) + "\n")
