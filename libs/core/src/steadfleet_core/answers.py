"""What a contract answers to fields that a person may expect of it, and that it has not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Answers:
    """
    Of one kind, by path (`spec.checks[].type`); every kind has its own.

    `not_built` are fields of the design, or of the contract that we are measured against, with what
    to do meanwhile; `not_built_values` likewise values of fields that there are; `moved` are fields
    that other contracts have, and what says it here.
    """

    not_built: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    not_built_values: Mapping[str, Collection[str]] = field(default_factory=lambda: MappingProxyType({}))
    moved: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def unbuilt_values(self, path: str) -> Collection[str]:
        return self.not_built_values.get(path, ())
