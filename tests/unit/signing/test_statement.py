import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.trust import NOW, image, provenance
from steadfleet_signing.errors import StatementError
from steadfleet_signing.predicates import Builder, Provenance
from steadfleet_signing.statement import MOST_STATEMENT_BYTES, PLAIN_SIGNATURE, Statement, Subject

STATEMENT: dict[str, Any] = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "web", "digest": {"sha256": "a" * 64}}],
    "predicateType": PLAIN_SIGNATURE,
    "predicate": {},
}


def written(**changes: Any) -> bytes:
    return json.dumps({**STATEMENT, **changes}).encode()


def test_a_statement_is_written_with_its_keys_in_order_and_no_space() -> None:
    raw = Statement(
        subjects=(image(),), predicate_type=PLAIN_SIGNATURE, predicate={"b": 1, "a": "é"}
    ).canonical()

    sha256 = image().digest["sha256"]
    assert raw.decode() == (
        '{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":"é","b":1},'
        f'"predicateType":"{PLAIN_SIGNATURE}",'
        f'"subject":[{{"digest":{{"sha256":"{sha256}"}},"name":"web 1.4.2"}}]}}'
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_what_is_written_is_what_is_read(predicate: dict[str, Any]) -> None:
    statement = Statement(subjects=(image(),), predicate_type=PLAIN_SIGNATURE, predicate=predicate)

    assert Statement.parse(statement.canonical()) == statement


@pytest.mark.parametrize("version", ["v1", "v0.1"])
def test_both_versions_of_a_statement_are_read(version: str) -> None:
    assert Statement.parse(written(_type=f"https://in-toto.io/Statement/{version}")).predicate == {}


def test_what_in_toto_leaves_open_is_ignored() -> None:
    subject = {**STATEMENT["subject"][0], "downloadLocation": "https://elsewhere.example"}

    assert Statement.parse(written(subject=[subject], extension=1)).subjects[0].name == "web"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'{"_type": 1, "_type": 1}', "'_type' twice"),
        (b'{"a": {"b": 1, "b": 2}}', "'b' twice"),
        (b'{"a": NaN}', "has NaN for a number"),
        (rb'{"a": "\ud800"}', "is not JSON"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "nested too deeply"),
        (b'{"a":' * 64 + b"[]" + b"}" * 64, "nested too deeply"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
        (b" " * (MOST_STATEMENT_BYTES + 1), "expected at most"),
        (written(_type="https://in-toto.io/Statement/v2"), "expected https://in-toto.io/Statement/v1"),
        (written(subject=[]), "subjects"),
        (written(subject=[1]), "no list of subjects"),
        (written(subject=[{"name": "web"}]), "digest"),
        (written(subject=[{"name": "web", "digest": {}}]), "digest"),
        (written(subject=[{"name": "web", "digest": {"sha256": "A" * 64}}]), "64 lower-case"),
        (written(subject=[STATEMENT["subject"][0]] * 1001), "1000"),
        (written(predicateType=""), "predicate_type"),
        (written(predicate=[1]), "predicate"),
    ],
)
def test_what_is_no_statement_is_refused_with_the_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(StatementError, match=reason):
        Statement.parse(raw)


def test_nothing_is_written_that_would_not_be_read() -> None:
    deep: dict[str, Any] = {}
    for _ in range(70):
        deep = {"deeper": deep}

    with pytest.raises(StatementError, match="nested too deeply"):
        Statement(subjects=(image(),), predicate_type=PLAIN_SIGNATURE, predicate=deep).canonical()


def test_a_number_that_others_would_round_is_refused() -> None:
    with pytest.raises(StatementError, match="canonical JSON"):
        Statement(subjects=(image(),), predicate_type=PLAIN_SIGNATURE, predicate={"a": 2**53 + 1}).canonical()


def test_subjects_are_the_same_if_every_digest_that_both_know_agrees() -> None:
    one = Subject(name="web", digest={"sha256": "a" * 64, "sha512": "b" * 128})

    assert one.is_same_as(Subject(name="another name", digest={"sha256": "a" * 64, "gitCommit": "c"}))
    assert not one.is_same_as(Subject(name="web", digest={"sha256": "a" * 64, "sha512": "c" * 128}))
    assert not one.is_same_as(Subject(name="web", digest={"sha512": "b" * 128}))


def test_provenance_has_the_fields_of_slsa() -> None:
    said = Statement.parse(provenance(image())).predicate

    assert said["buildDefinition"].keys() == {
        "buildType",
        "externalParameters",
        "internalParameters",
        "resolvedDependencies",
    }
    assert said["runDetails"]["metadata"] == {
        "invocationId": "image/web/1.4.2",
        "startedOn": "2026-06-01T11:40:00Z",
        "finishedOn": "2026-06-01T12:00:00Z",
    }


def test_provenance_keeps_whole_numbers_whole() -> None:
    said = Provenance(
        build_type="t",
        external_parameters={"size": 8},
        builder=Builder(id="b"),
        invocation_id="i",
        started=NOW,
        finished=NOW,
    ).predicate()

    assert repr(said["buildDefinition"]["externalParameters"]) == "{'size': 8}"
