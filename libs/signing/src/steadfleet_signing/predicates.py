"""The predicates that we state, typed: build one, put its `predicate()` into a statement.

>>> provenance = Provenance(build_type=…, external_parameters=…, builder=Builder(id=…), invocation_id=…)
>>> Statement(subjects=(image,), predicate_type=SLSA_PROVENANCE, predicate=provenance.predicate())
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, ConfigDict, Field
from pydantic.alias_generators import to_camel

from steadfleet_core.model import Model, Text


class _Predicate(Model):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)

    def predicate(self) -> dict[str, Any]:
        """Return the predicate as in-toto and SLSA name its fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Resource(_Predicate):
    """Something that went into a build or came out of it: at least one way to find it again."""

    uri: str | None = None
    name: str | None = None
    digest: dict[str, str] | None = None
    media_type: str | None = None
    annotations: dict[str, Any] | None = None


class Builder(_Predicate):
    """Who answers for the provenance: the id that trust policies name, and what it ran."""

    id: Text
    version: dict[str, str] | None = None


class Provenance(_Predicate):
    """SLSA v1: from what, by whom and how an artifact was built.

    `external_parameters` are all that a user could choose, complete; what we chose ourselves is
    `internal_parameters`. `build_type` is the URI of a page that says what both mean.
    """

    build_type: Text
    external_parameters: dict[str, Any]
    internal_parameters: dict[str, Any] = {}
    resolved_dependencies: tuple[Resource, ...] = ()
    builder: Builder
    invocation_id: Text
    started: AwareDatetime
    finished: AwareDatetime
    byproducts: tuple[Resource, ...] = ()

    def predicate(self) -> dict[str, Any]:
        plain = super().predicate()
        definition = ("buildType", "externalParameters", "internalParameters", "resolvedDependencies")
        metadata = {
            "invocationId": plain["invocationId"],
            "startedOn": plain["started"],
            "finishedOn": plain["finished"],
        }
        return {
            "buildDefinition": {key: plain[key] for key in definition},
            "runDetails": {
                "builder": plain["builder"],
                "metadata": metadata,
                "byproducts": plain["byproducts"],
            },
        }


class Outcome(StrEnum):
    PASSED = "PASSED"
    WARNED = "WARNED"
    FAILED = "FAILED"


class TestResult(_Predicate):
    """What came of the tests of an artifact; `configuration` is what was run, by digest."""

    __test__ = False  # no class of tests, whatever a collector makes of its name

    result: Outcome
    configuration: Annotated[tuple[Resource, ...], Field(min_length=1)]
    passed_tests: tuple[str, ...] = ()
    warned_tests: tuple[str, ...] = ()
    failed_tests: tuple[str, ...] = ()
