"""Read packer's older syntax: one JSON file of variables, builders and post-processors."""

import json
import re
from typing import Any

from steadfleet_activities.image.packer.draft import Draft, Part, UnreadableError, Variable

_USE = re.compile(r"\{\{-?\s*user\s+(?:`([\w.-]+)`|\"([\w.-]+)\")\s*-?\}\}")


def read_json(text: str, source: str) -> Draft:
    """Read the file named `source`; raises `UnreadableError`."""
    try:
        template = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"{source}:{error.lineno}: is not JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:  # levels, digits of a number
        raise UnreadableError(f"{source}: is no template that packer reads: {error}") from error
    if not isinstance(template, dict):
        raise UnreadableError(f"{source}: expected an object with variables, builders and provisioners")
    root = _folded(template)
    sources = tuple(_parts(root.get("builders"), f"{source}: builders"))
    return Draft(
        where=source,
        use="{{{{user `{}`}}}}",
        builds=len(sources),
        variables=tuple(_variables(root.get("variables"), source)),
        sources=sources,
        post_processors=tuple(_parts(root.get("post-processors"), f"{source}: post-processors")),
    )


def _variables(declared: object, source: str) -> list[Variable]:
    if not isinstance(declared, dict):
        return []
    return [Variable(name, f"{source}: variables.{name}", value is None) for name, value in declared.items()]


def _parts(listed: object, where: str) -> list[Part]:
    parts = []
    for number, one in enumerate(listed if isinstance(listed, list) else []):
        place = f"{where}[{number}]"
        match one:
            case str():
                parts.append(Part(one, place))
            case list():
                parts += _parts(one, place)
            case dict():
                settings = _folded(one)
                parts.append(Part(str(settings.get("type", "")), place, _plain(settings)))
            case _:
                parts.append(Part("", place))
    return parts


def _folded(settings: dict[str, Any]) -> dict[str, Any]:
    """Packer does not tell `AMI_Users` from `ami_users`."""
    return {name.lower(): value for name, value in settings.items()}


def _plain(value: Any) -> Any:
    match value:
        case str():
            return _USE.sub(lambda use: f"${{var.{use[1] or use[2]}}}", value.replace("${", "$${"))
        case list():
            return [_plain(one) for one in value]
        case dict():
            return {_plain(name): _plain(one) for name, one in value.items()}
        case _:
            return value
