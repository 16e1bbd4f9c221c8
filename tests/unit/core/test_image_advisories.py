"""A file of advisories is read as OSV, or refused by its name, its entry and its field."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.core.image_gates import advisory

from steadfleet_core.errors import RefusedError
from steadfleet_core.image import osv
from steadfleet_core.image.osv import read_advisories


def refusal(content: bytes) -> str:
    with pytest.raises(RefusedError) as caught:
        read_advisories(content, "osv.json")
    return str(caught.value)


def test_one_advisory_and_a_list_are_read_alike() -> None:
    one = json.dumps(advisory()).encode()

    assert read_advisories(one, "osv.json") == read_advisories(b"[" + one + b"]", "osv.json")


def test_what_the_gate_does_not_need_may_be_there() -> None:
    (read,) = read_advisories(json.dumps(advisory(details="…", credits=[1])).encode(), "osv.json")

    assert read.id == "DSA-1"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "osv.json: is not JSON: Expecting property name"),
        (b"\xff", "osv.json: is not JSON: "),
        (b"", "osv.json: is not JSON: "),
        (b"[" * 100_000, "osv.json: is not JSON: "),
        (b"3", "osv.json: entry 0: input should be a valid dictionary"),
        (b"{}", "osv.json: entry 0.id: field required; expected the OSV format"),
        (b'[{"id": "A"}, {"id": 7}]', "osv.json: entry 1.id: input should be a valid string"),
        (
            b'{"id": "A", "affected": [{"package": {"ecosystem": "Debian"}}]}',
            "osv.json: entry 0 (A).affected[0].package.name: field required",
        ),
        (b'{"id": "A", "affected": {}}', "osv.json: entry 0 (A).affected: "),
        (b'{"id": "A", "withdrawn": "soon"}', "osv.json: entry 0 (A).withdrawn: "),
        (b'{"vulns": []}', "osv.json: entry 0.id: field required"),
    ],
)
def test_what_is_no_osv_is_refused_by_file_entry_and_field(content: bytes, said: str) -> None:
    assert refusal(content).startswith(said)


def test_too_many_problems_are_cut_short() -> None:
    lines = refusal(json.dumps([{}] * 50).encode()).splitlines()

    assert (len(lines), lines[-1]) == (11, "osv.json: and 40 problems more")


def test_too_much_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osv, "MOST_BYTES", 10)
    monkeypatch.setattr(osv, "MOST_ADVISORIES", 1)

    assert refusal(b" " * 11) == "osv.json: has 11 bytes: expected at most 10"
    assert refusal(b"[{}, {}]") == "osv.json: holds 2 advisories: expected at most 1"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "affected", "severity", "ranges", "events"]), values, max_size=3
        )
    ),
)


@settings(deadline=None)
@given(json_values)
def test_any_json_is_read_or_refused(value: object) -> None:
    with suppress(RefusedError):
        read_advisories(json.dumps(value).encode(), "osv.json")
