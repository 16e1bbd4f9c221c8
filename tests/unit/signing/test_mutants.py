"""Take a check away, and a test must notice: otherwise it would pass with a library that checks nothing."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steadfleet_signing import VerificationError, policy, publickey, strict_json, verify
from steadfleet_signing.statement import Subject

MUTANTS: dict[str, tuple[object, str, object, str, str]] = {
    "subjects are not compared": (
        Subject, "is_same_as", lambda *_: True,
        "test_policy.py", "test_an_attestation_replayed_on_another_image_does_not_count",
    ),
    "signatures are not verified": (
        publickey, "is_signed_by", lambda *_: True,
        "test_verify.py", "test_a_bundle_by_another_key_is_refused",
    ),
    "the bundle chooses how it is verified": (
        verify, "_require_trusted_mode", lambda *_: None,
        "test_verify.py", "test_a_policy_of_keys_refuses_certificates",
    ),
    "the type of the payload is ignored": (
        verify, "PAYLOAD_TYPE", "text/plain",
        "test_verify.py", "test_a_signature_over_something_else_than_a_statement_is_refused",
    ),
    "any attestation is provenance": (
        policy, "_is_not", lambda *_: None,
        "test_policy.py", "test_prod_refuses_an_image_that_is_only_signed",
    ),
    "any signer speaks for any builder": (
        policy, "_SHORTCOMINGS", dict.fromkeys(policy.Requirement, lambda *_: None),
        "test_policy.py", "test_a_signer_may_not_speak_for_the_builder_of_another",
    ),
    "revocations are not read": (
        policy._Case, "revocations", lambda *_: [],
        "test_policy.py", "test_a_revoked_image_is_refused_everywhere",
    ),
    "age is not looked at": (
        policy._Case, "_out_of_time", lambda *_: None,
        "test_policy.py", "test_a_signature_older_than_max_age_does_not_count",
    ),
    "a new signature is not checked": (
        publickey, "is_signed_by", lambda *_: True,
        "test_key_signers.py", "test_kms_that_hashes_the_digest_again_is_caught",
    ),
}  # fmt: skip
ARGUMENTS = {"test_a_revoked_image_is_refused_everywhere": ("dev",)}


def load_test(file: str, name: str) -> Callable[..., None]:
    found: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name(file)))
    test: Callable[..., None] = found[name]
    return test


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_library_that_checks_less_is_noticed(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, replacement, file, name = MUTANTS[mutant]
    test, arguments = load_test(file, name), ARGUMENTS.get(name, ())
    test(*arguments)

    monkeypatch.setattr(owner, attribute, replacement)

    with pytest.raises((AssertionError, pytest.fail.Exception, VerificationError)):
        test(*arguments)


def test_duplicate_keys_would_be_read_without_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json, "_once_each", dict)

    assert strict_json.read_object(b'{"a": 1, "a": 2}', most_bytes=100) == {"a": 2}
