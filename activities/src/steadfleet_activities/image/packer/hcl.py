"""Read packer's syntax of today, HCL2: `.pkr.hcl` files, and `.pkr.json`, the same in JSON."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import hcl2
from hcl2.utils import SerializationOptions
from lark.exceptions import LarkError

from steadfleet_activities.image.packer.draft import Draft, Part, Settings, UnreadableError, Variable

SUFFIXES = (".pkr.hcl", ".pkr.json")
_OPTIONS = SerializationOptions(with_comments=False, preserve_heredocs=False)
_MOST_LOCALS = 10
_USE = re.compile(r"\$\{\s*var\.([\w-]+)\s*\}")
_ESCAPED = re.compile(r'\\(["\\nrt])')
_MEANT = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
_Body = Mapping[str, Any]


def read_hcl(texts: Mapping[str, str], where: str) -> Draft:
    """Read the files of one template, by name; raises `UnreadableError` for the first that cannot be."""
    files = {name: _read(text, name) for name, text in texts.items()}
    reader = _Reader(files)
    return Draft(
        where=where,
        use="var.{}",
        builds=reader.builds(),
        variables=tuple(reader.variables()),
        sources=tuple(reader.sources()),
        post_processors=tuple(reader.post_processors()),
        refused=tuple(reader.registries()),
        plugins=tuple(reader.plugins()),
    )


def _read(text: str, name: str) -> _Body:
    try:
        body = (
            json.loads(text)
            if name.endswith(".json")
            else _unquoted(hcl2.loads(text, serialization_options=_OPTIONS))
        )
    except json.JSONDecodeError as error:
        raise UnreadableError(f"{name}:{error.lineno}: is not JSON: {error.msg}") from error
    except LarkError as error:
        line = getattr(error, "line", -1)
        place = f"{name}:{line}" if line and line > 0 else name
        said = str(error).partition("\n")[0]
        raise UnreadableError(f"{place}: is not HCL2: {said}") from error
    except (RecursionError, ValueError) as error:
        raise UnreadableError(f"{name}: is no template that packer reads: {error}") from error
    if not isinstance(body, dict):
        raise UnreadableError(f"{name}: expected an object with variable, source and build")
    return body


class _Reader:
    def __init__(self, files: Mapping[str, _Body]) -> None:
        self._files = files
        self._locals = dict(self._all_locals())

    def variables(self) -> Iterator[Variable]:
        for file, body in self._files.items():
            for (name,), settings in _blocks(body, "variable", 1):
                yield Variable(name, f"{file}: variable.{name}", "default" not in settings)
            for _, settings in _blocks(body, "variables", 0):
                for name in settings:
                    yield Variable(name, f"{file}: variables.{name}", required=False)

    def sources(self) -> Iterator[Part]:
        """Give every source with what its build adds to it."""
        added = dict(self._added())
        for file, body in self._files.items():
            for (kind, name), settings in _blocks(body, "source", 2):
                both = {**settings, **added.get(f"{kind}.{name}", {})}
                merged = {key: self._value(value) for key, value in both.items()}
                yield Part(kind, f"{file}: source.{kind}.{name}", merged)

    def builds(self) -> int:
        named = (build.get("sources", []) for _, build in self._builds())
        return sum(len(names) for names in named if isinstance(names, list)) + len(list(self._added()))

    def post_processors(self) -> Iterator[Part]:
        for file, build in self._builds():
            chains = [settings for _, settings in _blocks(build, "post-processors", 0)]
            for holder in (build, *chains):
                for (kind,), settings in _blocks(holder, "post-processor", 1):
                    yield Part(kind, f"{file}: build.post-processor.{kind}", settings)

    def registries(self) -> Iterator[Part]:
        for file, build in self._builds():
            for _ in _blocks(build, "hcp_packer_registry", 0):
                yield Part("hcp_packer_registry", f"{file}: build.hcp_packer_registry")

    def plugins(self) -> Iterator[str]:
        for body in self._files.values():
            for _, packer in _blocks(body, "packer", 0):
                for _, plugins in _blocks(packer, "required_plugins", 0):
                    yield from plugins

    def _added(self) -> Iterator[tuple[str, Settings]]:
        """Give what a build's own `source` blocks add to the sources that they name."""
        for _, build in self._builds():
            for (name,), settings in _blocks(build, "source", 1):
                yield name.removeprefix("source."), settings

    def _builds(self) -> Iterator[tuple[str, _Body]]:
        for file, body in self._files.items():
            for _, build in _blocks(body, "build", 0):
                yield file, build

    def _all_locals(self) -> Iterator[tuple[str, Any]]:
        for body in self._files.values():
            for _, settings in _blocks(body, "locals", 0):
                yield from settings.items()
            for (name,), settings in _blocks(body, "local", 1):
                yield name, settings.get("expression")

    def _value(self, value: Any, depth: int = 0) -> Any:
        match value:
            case str():
                used = re.fullmatch(r"\$\{\s*local\.([\w-]+)\s*\}", value)
                if used and used[1] in self._locals and depth < _MOST_LOCALS:
                    return self._value(self._locals[used[1]], depth + 1)
                return _USE.sub(r"${var.\1}", value)
            case list():
                return [self._value(one, depth) for one in value]
            case dict():
                return {self._value(name, depth): self._value(one, depth) for name, one in value.items()}
            case _:
                return value


def _blocks(body: _Body, kind: str, labels: int) -> Iterator[tuple[tuple[str, ...], _Body]]:
    """Give each block of a kind with its labels: one body, or a list of them, is the same."""
    yield from _labelled(body.get(kind), labels, ())


def _labelled(value: Any, labels: int, so_far: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], _Body]]:
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            continue
        if len(so_far) == labels:
            yield so_far, one
        else:
            for label, inner in one.items():
                yield from _labelled(inner, labels, (*so_far, label))


def _unquoted(value: Any) -> Any:
    """Take a string out of the quotes in which the parser leaves it; an expression has none."""
    match value:
        case str() if len(value) > 1 and value[0] == value[-1] == '"':
            return _ESCAPED.sub(lambda escaped: _MEANT[escaped[1]], value[1:-1])
        case list():
            return [_unquoted(one) for one in value]
        case dict():
            return {_unquoted(name): _unquoted(one) for name, one in value.items() if not _is_note(name)}
        case _:
            return value


def _is_note(name: str) -> bool:
    """Tell what the parser adds."""
    return name.startswith("__") and name.endswith("__")
