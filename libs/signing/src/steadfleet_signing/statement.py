"""In-toto statements: what is said (a predicate) about which artifacts (subjects, by digest)."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

import rfc8785
from pydantic import AfterValidator, Field, ValidationError

from steadfleet_core.model import Model, Text
from steadfleet_signing.errors import StatementError
from steadfleet_signing.strict_json import first_problem, read_object

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
# What `cosign attest` still writes; it differs from v1 in nothing that we read.
_READ_TYPES = frozenset({STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1"})

SLSA_PROVENANCE = "https://slsa.dev/provenance/v1"
CYCLONEDX = "https://cyclonedx.org/bom"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
PLAIN_SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
VERIFICATION_SUMMARY = "https://slsa.dev/verification_summary/v1"

MOST_STATEMENT_BYTES = 16 * 2**20
MOST_SUBJECTS = 1000


def _with_sha256_well_formed(digest: dict[str, str]) -> dict[str, str]:
    if "sha256" in digest and not re.fullmatch(r"[0-9a-f]{64}", digest["sha256"]):
        raise ValueError("expected sha256 as 64 lower-case hexadecimal digits")
    return digest


DigestSet = Annotated[dict[Text, Text], Field(min_length=1), AfterValidator(_with_sha256_well_formed)]
"""Digests of one thing by algorithm: `{"sha256": "9f86…"}`."""


class Subject(Model):
    """One artifact. Only its digest identifies it: the name is for people, and proves nothing."""

    name: str
    digest: DigestSet

    def is_same_as(self, measured: "Subject") -> bool:
        """Tell whether every algorithm that both know agrees, sha256 among them."""
        common = self.digest.keys() & measured.digest.keys()
        return "sha256" in common and all(self.digest[a] == measured.digest[a] for a in common)

    def __str__(self) -> str:
        digests = ", ".join(f"{algorithm}:{value}" for algorithm, value in sorted(self.digest.items()))
        return f"{self.name or 'unnamed'} ({digests})"


class Statement(Model):
    """Build one to sign it; `parse` the one that a verified bundle carries.

    >>> image = Subject(name="registry.example/web", digest={"sha256": "9f86…"})
    >>> Statement(subjects=(image,), predicate_type=PLAIN_SIGNATURE).canonical()
    """

    subjects: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=MOST_SUBJECTS)]
    predicate_type: Text
    predicate: dict[str, Any] = {}

    def canonical(self) -> bytes:
        """Return the bytes to sign, by RFC 8785: the same statement always gives the same bytes."""
        content: dict[str, Any] = {
            "_type": STATEMENT_TYPE,
            "subject": [subject.model_dump() for subject in self.subjects],
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        }
        try:
            raw = rfc8785.dumps(content)
        except (rfc8785.CanonicalizationError, RecursionError) as error:
            raise StatementError(f"the statement cannot be written as canonical JSON: {error}") from error
        self.parse(raw)  # nothing is signed that would be refused when read
        return raw

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read signed bytes. Fields that in-toto leaves open are ignored, as it asks.

        Raises:
            StatementError: what is wrong with them.
        """
        try:
            return cls._from_content(read_object(raw, most_bytes=MOST_STATEMENT_BYTES))
        except ValidationError as error:
            raise StatementError(f"the statement's {first_problem(error)}") from error
        except ValueError as error:
            raise StatementError(f"the statement {error}") from error

    @classmethod
    def _from_content(cls, content: Mapping[str, Any]) -> Self:
        if content.get("_type") not in _READ_TYPES:
            raise ValueError(f"has _type {content.get('_type')!r}: expected {STATEMENT_TYPE}")
        subjects = content.get("subject")
        if not isinstance(subjects, list) or not all(isinstance(subject, dict) for subject in subjects):
            raise ValueError("has no list of subjects")
        fields = {
            "subjects": [{"name": s.get("name", ""), "digest": s.get("digest")} for s in subjects],
            "predicate_type": content.get("predicateType"),
            "predicate": content.get("predicate") or {},
        }
        return cls.model_validate(fields)
