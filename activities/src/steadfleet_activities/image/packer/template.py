"""Inspect a packer template without running packer: what it builds, and whether it may be run.

>>> inspect_template(Path("image"), {"motd": "hello"}).platform
<Platform.AWS: 'aws'>
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from steadfleet_activities.image.packer.draft import Draft, Part, UnreadableError
from steadfleet_activities.image.packer.hcl import SUFFIXES, read_hcl
from steadfleet_activities.image.packer.legacy_json import read_json
from steadfleet_activities.image.packer.rules import BUILDERS, OPTIONAL, REQUIRED, broken
from steadfleet_core.errors import ContractError
from steadfleet_core.image.order import Platform
from steadfleet_core.model import Model

_MOST_BYTES = 1 << 20
_VARIABLES = "spec.build.variables"
_ALSO_YOURS = {"subnet_id", "vpc_id"}  # or else they are the region's default
_AUTOMATIC = (".auto.pkrvars.hcl", ".auto.pkrvars.json")


class Template(Model):
    """
    What a template that may be run says.

    `declared` are all its variables: a build may be given no other. `plugins` are those that it
    requires in so many words, which a packer before 1.7 cannot read.
    """

    platform: Platform
    builder: str
    declared: frozenset[str]
    plugins: tuple[str, ...] = ()


def inspect_template(path: Path, given: Mapping[str, str] | None = None) -> Template:
    """
    Inspect a template: one file, or the folder of its `.pkr.hcl` and `.pkr.json` files.

    `given` are the contract's variables. Raises `ContractError` with every problem that there is.
    """
    try:
        draft = _read(path)
    except UnreadableError as error:
        raise ContractError([str(error)]) from error
    source, problems = _one_source(draft)
    platform = BUILDERS.get(source.type) if source else None
    if source and platform:
        problems += broken(draft, source, platform)
        problems += _undeclared(draft, platform)
        problems += _unmet(draft, platform, given or {})
    if not source or not platform or problems:
        raise ContractError(problems)
    return Template(
        platform=platform,
        builder=source.type,
        declared=frozenset(variable.name for variable in draft.variables),
        plugins=draft.plugins,
    )


def _read(path: Path) -> Draft:
    if path.is_dir():
        return _read_folder(path)
    if path.name.endswith(SUFFIXES):
        return read_hcl({path.name: _text(path)}, path.name)
    if path.suffix == ".json":
        return read_json(_text(path), path.name)
    raise UnreadableError(
        f"{path.name}: expected a .pkr.hcl, .pkr.json or .json file, or a folder of the former"
    )


def _read_folder(folder: Path) -> Draft:
    files = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    if not files:
        raise UnreadableError(
            f"{folder.name}: there is no .pkr.hcl or .pkr.json file in it: expected the template's; one in "
            "packer's older JSON is named as a file"
        )
    if automatic := [path.name for path in folder.iterdir() if path.name.endswith(_AUTOMATIC)]:
        raise UnreadableError(
            f"{min(automatic)}: packer would take variables from it: remove it, and give them in {_VARIABLES}"
        )
    return read_hcl({path.name: _text(path) for path in files}, folder.name)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if len(data) > _MOST_BYTES:
            raise UnreadableError(
                f"{path.name}: {len(data)} bytes: expected a template of at most {_MOST_BYTES}"
            )
        return data.decode()
    except OSError as error:
        raise UnreadableError(f"{path.name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path.name}: is not UTF-8 at byte {error.start}") from error


def _one_source(draft: Draft) -> tuple[Part | None, list[str]]:
    supported = " or ".join(BUILDERS)
    problems = [
        f"{source.where}: type {source.type or '(none)'} — expected {supported}, with which images are built"
        for source in draft.sources
        if source.type not in BUILDERS
    ]
    if len(draft.sources) != 1:
        found = ", ".join(source.type or "(no type)" for source in draft.sources) or "none"
        problems.append(f"{draft.where}: sources: {found} — expected exactly one, of type {supported}")
    elif draft.builds != 1:
        problems.append(
            f"{draft.where}: its source is built {draft.builds} times — expected once, in one build"
        )
    return (draft.sources[0] if len(draft.sources) == 1 else None), problems


def _undeclared(draft: Draft, platform: Platform) -> Iterator[str]:
    declared = {variable.name for variable in draft.variables}
    for name in REQUIRED[platform]:
        if name not in declared:
            yield f"{draft.where}: variable {name} is not declared: declare it, for every build is given it"


def _unmet(draft: Draft, platform: Platform, given: Mapping[str, str]) -> Iterator[str]:
    ours = {*REQUIRED[platform], *OPTIONAL[platform]} - _ALSO_YOURS
    declared = {variable.name: variable for variable in draft.variables}
    for name in given:
        if name in ours:
            yield f"{_VARIABLES}.{name}: is given by Steadfleet: remove it"
        elif name not in declared:
            hint = _nearest(name, declared, ours)
            yield f"{_VARIABLES}.{name}: {draft.where} declares no such variable: {hint}"
    known = {*given, *REQUIRED[platform], *OPTIONAL[platform]}
    for variable in draft.variables:
        if variable.required and variable.name not in known:
            yield f"{variable.where}: has no default and no value: give it one in {_VARIABLES}"
        if variable.required and variable.name == "endpoint":
            yield f'{variable.where}: has no default: expected "", for at AWS itself it is not given'


def _nearest(name: str, declared: Mapping[str, object], ours: set[str]) -> str:
    yours = sorted(set(declared) - ours)
    close = get_close_matches(name, yours, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"expected one of {', '.join(yours)}" if yours else "it has none of its own; remove it"
