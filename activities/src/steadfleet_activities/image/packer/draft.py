"""What a template says, whatever its syntax: variables, sources and post-processors in plain values.

A use of a variable is written `${var.name}` in every value, however the template writes it; so is
any other expression of HCL2, in its own words. What is literally meant is written `$${`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Variable:
    """`required` if the template has no default for it."""

    name: str
    where: str
    required: bool


@dataclass(frozen=True)
class Part:
    """A source (packer's older word: builder) or a post-processor."""

    type: str
    where: str
    settings: Settings = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """
    `use` is how this syntax writes the use of a variable, with `{}` for its name.

    `builds` counts the images that one run would make: a source may be built more than once.
    """

    where: str
    use: str
    builds: int
    variables: tuple[Variable, ...]
    sources: tuple[Part, ...]
    post_processors: tuple[Part, ...]
    refused: tuple[Part, ...] = ()
    plugins: tuple[str, ...] = ()

    def using(self, variable: str) -> str:
        return self.use.format(variable)

    def shown(self, value: object) -> str:
        """Write a value for people, a use of a variable as this syntax does."""
        if value is None:
            return "(missing)"
        text = value if isinstance(value, str) else repr(value)
        return re.sub(r"\$\{var\.([\w-]+)\}", lambda use: self.using(use[1]), text)


class UnreadableError(Exception):
    """A file that cannot be read as a template; the text is a whole problem line."""


def use_of(variable: str) -> str:
    return f"${{var.{variable}}}"
