"""Set values in a policy's text from the command line, leaving its lines where they were.

The text is validated afterwards, as a whole: so an override is judged like anything written.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from steadfleet_core.errors import ContractError

Path = tuple[str, ...]
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./@-]*")
_WORDS = {"true", "false", "null"}


@dataclass(frozen=True)
class Overrides:
    """What the command line says in the policy's stead; `image` is ami-… or family@version."""

    strategy: str | None = None
    fleet: str | None = None
    groups: tuple[str, ...] = ()
    image: str | None = None
    name: str | None = None

    def apply(self, text: str, source: str) -> str:
        """Return the text with these values; a text that is no mapping is left for the contract to refuse."""
        try:
            root = yaml.compose(text, yaml.BaseLoader)
        except yaml.YAMLError:
            return text
        if not isinstance(root, yaml.MappingNode):
            return text
        for path, value in self._changes(root).items():
            text = _set(text, path, value, source)
        return text

    def _changes(self, root: yaml.MappingNode) -> dict[Path, object]:
        changes: dict[Path, object] = {}
        if self.strategy and _word(root, ("spec", "strategy", "type")) != self.strategy:
            # A block of another strategy would be ignored, and so refused: it goes with its type.
            changes["spec", "strategy"] = {"type": self.strategy}
        if self.fleet:
            changes["spec", "fleet", "name"] = self.fleet
        if self.groups:
            changes["spec", "fleet", "selector", "groups"] = list(self.groups)
            if _find(root, ("spec", "fleet", "selector", "tags")):
                # Groups and tags add up: with --group no other group may be in scope.
                changes["spec", "fleet", "selector", "tags"] = {}
        if self.image:
            signed = _word(root, ("spec", "image", "signed"))
            changes["spec", "image"] = image_of(self.image) | ({"signed": signed == "true"} if signed else {})
        if self.name:
            changes["metadata", "name"] = self.name
        return changes


def image_of(text: str) -> dict[str, object]:
    """Read `family@version`, or else an image id."""
    family, at, version = text.partition("@")
    return {"family": family, "version": version} if at else {"id": text}


def _find(root: yaml.Node | None, path: Path) -> yaml.Node | None:
    for name in path:
        if not isinstance(root, yaml.MappingNode):
            return None
        found = next((value for key, value in root.value if key.value == name), None)
        if found is None:
            return None
        root = found
    return root


def _word(root: yaml.Node, path: Path) -> str:
    node = _find(root, path)
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _set(text: str, path: Path, value: object, source: str) -> str:
    root = yaml.compose(text, yaml.BaseLoader)
    known = next(n for n in range(len(path), -1, -1) if _find(root, path[:n]) is not None)
    node = _find(root, path[:known])
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
        holder = _find(root, path[: depth - 1])
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
