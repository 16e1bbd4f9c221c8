"""Set values in a contract's text, leaving its lines where they were.

The text is validated afterwards, as a whole: so what is set is judged like anything written.
"""

import json
import re
from collections.abc import Mapping

import yaml

from steadfleet_core.errors import ContractError

Path = tuple[str, ...]
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./@-]*")
_WORDS = {"true", "false", "null"}


def mapping_of(text: str) -> yaml.MappingNode | None:
    """Return the text's mapping; None for what is none, and is left for the contract to refuse."""
    try:
        root = yaml.compose(text, yaml.BaseLoader)
    except yaml.YAMLError:
        return None
    return root if isinstance(root, yaml.MappingNode) else None


def find(root: yaml.Node | None, path: Path) -> yaml.Node | None:
    for name in path:
        if not isinstance(root, yaml.MappingNode):
            return None
        found = next((value for key, value in root.value if key.value == name), None)
        if found is None:
            return None
        root = found
    return root


def word(root: yaml.Node, path: Path) -> str:
    node = find(root, path)
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def set_value(text: str, path: Path, value: object, source: str) -> str:
    """Return the text with the value at `path`; `source` is the file's name in what is refused."""
    root = yaml.compose(text, yaml.BaseLoader)
    known = next(n for n in range(len(path), -1, -1) if find(root, path[:n]) is not None)
    node = find(root, path[:known])
    missing = path[known:]
    if known and _aliased(root, path[:known]):
        where = ".".join(path[:known])
        raise ContractError([f"{source}: {where} is an alias: write it out to set it on the command line"])
    if isinstance(node, yaml.MappingNode) and missing:
        return _insert(text, node, missing[0], _nested(missing[1:], value))
    assert node is not None  # noqa: S101  (the root itself is found by the empty path)
    return _replace(text, node, _nested(missing, value))


def _aliased(root: yaml.Node | None, path: Path) -> bool:
    """Whether a value on the way is written elsewhere, before its own key."""
    for depth in range(1, len(path) + 1):
        holder = find(root, path[: depth - 1])
        pairs: list[tuple[yaml.Node, yaml.Node]] = holder.value if holder else []
        key, value = next(pair for pair in pairs if pair[0].value == path[depth - 1])
        if value.start_mark.index < key.end_mark.index:
            return True
    return False


def _nested(path: Path, value: object) -> object:
    for name in reversed(path):
        value = {name: value}
    return value


def _replace(text: str, node: yaml.Node, value: object) -> str:
    start = node.start_mark.index
    removed = text[start : node.end_mark.index].rstrip()
    space = "" if removed else " "
    # As many lines as before: a problem further down keeps its line number.
    lines = "\n" * removed.count("\n")
    return f"{text[:start]}{space}{_flow(value)}{lines}{text[start + len(removed) :]}"


def _insert(text: str, mapping: yaml.MappingNode, key: str, value: object) -> str:
    if mapping.flow_style:
        end = mapping.end_mark.index - 1
        comma = ", " if mapping.value else ""
        return f"{text[:end]}{comma}{key}: {_flow(value)}{text[end:]}"
    end = _line_end(text, mapping)
    indent = " " * mapping.start_mark.column
    return f"{text[:end]}\n{indent}{key}: {_flow(value)}{text[end:]}"


def _line_end(text: str, node: yaml.Node) -> int:
    """Return where the last line of a block ends."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    end = node.end_mark.index
    if text[end - 1] == "\n":
        return end - 1
    newline = text.find("\n", end)
    return len(text) if newline < 0 else newline


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
