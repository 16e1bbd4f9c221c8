"""A journal holds what was acknowledged and nothing else, whatever became of its process and its disk."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from integration.drill.witness.site import Bucket, Site

from steadfleet_activities.drill.witness.folder import WitnessFolder
from steadfleet_activities.drill.witness.journal import RESERVED_AT_ONCE, Journal
from steadfleet_activities.drill.witness.passwords import Passwords, SsmParameters
from steadfleet_activities.drill.witness.sealing import SealedLedgers, line_of
from steadfleet_core.drill.measuring import LedgerEntry
from steadfleet_core.drill.plan import Secret
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import canonical

START = datetime(2027, 1, 31, 4, tzinfo=UTC)


def written(folder: Path, count: int, segment_lines: int = 10_000) -> list[int]:
    """Acknowledge as many writes, a second apart, as one process would."""
    journal = Journal(folder, segment_lines)
    numbers = []
    for _ in range(count):
        numbers.append(journal.next_after(0))
        journal.acknowledge(numbers[-1], lambda: START + timedelta(seconds=numbers[-1]))
    journal.close()
    return numbers


def found(folder: Path) -> list[int]:
    return [entry.sequence for entry in Journal(folder).entries()]


def newest(folder: Path) -> Path:
    return max(folder.glob("*.journal"))


def test_a_restarted_journal_has_all_and_uses_no_number_again(tmp_path: Path) -> None:
    first = written(tmp_path, 3)
    second = written(tmp_path, 2)

    assert found(tmp_path) == [*first, *second]
    assert min(second) > max(first)


def test_a_number_that_was_taken_and_never_noted_is_not_used_after_a_crash(tmp_path: Path) -> None:
    taken = [Journal(tmp_path).next_after(0) for _ in range(3)]

    assert len(set(taken)) == 3
    assert taken[1] - taken[0] > RESERVED_AT_ONCE


def test_a_number_that_could_not_be_reserved_is_not_given_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                journal.next_after(0)

    assert journal.next_after(0) < Journal(tmp_path).next_after(0)


def test_numbers_go_on_after_those_of_the_table(tmp_path: Path) -> None:
    assert Journal(tmp_path).next_after(70) == 71


@pytest.mark.parametrize("torn", [b"4", b"4,1801", b"4,1801368004000000", b"\0" * 30])
def test_a_torn_last_line_is_as_if_it_had_not_been(tmp_path: Path, torn: bytes) -> None:
    numbers = written(tmp_path, 3)
    with newest(tmp_path).open("ab") as file:
        file.write(torn)

    assert found(tmp_path) == numbers
    more = written(tmp_path, 1)
    assert found(tmp_path) == [*numbers, *more]


def test_a_line_that_was_changed_is_refused_with_its_place(tmp_path: Path) -> None:
    written(tmp_path, 3)
    content = newest(tmp_path).read_bytes()
    newest(tmp_path).write_bytes(content.replace(b"2,", b"two,"))

    with pytest.raises(RefusedError, match=r"\.journal:2 is b'two,"):
        found(tmp_path)


def test_a_write_that_the_disk_refused_is_not_acknowledged_and_spoils_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.acknowledge(1, lambda: START)

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            journal.acknowledge(2, lambda: START)
    journal.acknowledge(3, lambda: START)
    journal.close()

    assert found(tmp_path) == [1, 3]


def test_what_is_sealed_is_what_was_acknowledged_up_to_then(tmp_path: Path) -> None:
    written(tmp_path, 5)

    sealed = Journal(tmp_path).sealed(START + timedelta(seconds=3))

    assert [entry.sequence for entry in sealed] == [1, 2, 3]


def test_old_segments_go_as_a_whole_and_the_newest_stays(tmp_path: Path) -> None:
    numbers = written(tmp_path, 6, segment_lines=2)
    journal = Journal(tmp_path)

    journal.prune(START + timedelta(seconds=4))
    assert [entry.sequence for entry in journal.entries()] == numbers[2:]

    journal.prune(START + timedelta(days=1))
    assert [entry.sequence for entry in journal.entries()] == numbers[4:]
    assert Journal(tmp_path).next_after(0) > max(numbers)


entries = st.builds(
    LedgerEntry, sequence=st.integers(1, 10**12), acknowledged_at=st.datetimes(timezones=st.just(UTC))
)


@given(st.lists(entries, max_size=5))
def test_a_sealed_ledger_is_canonical_and_comes_back_as_it_was(kept: list[LedgerEntry]) -> None:
    ledgers = SealedLedgers(Bucket(), "evidence")  # type: ignore[arg-type]

    sealed = ledgers.put("orders", tuple(kept))

    assert [line_of(entry) for entry in kept] == [canonical(entry) + b"\n" for entry in kept]
    assert sealed.digest is not None
    assert ledgers.get(sealed.digest) == kept


def test_a_folder_has_one_witness(tmp_path: Path) -> None:
    first = WitnessFolder.taken(tmp_path / "witness")

    with pytest.raises(RefusedError, match="is another witness's: stop it, or name another folder"):
        WitnessFolder.taken(tmp_path / "witness")
    first.release()

    WitnessFolder.taken(tmp_path / "witness").release()


def test_a_run_is_never_a_path(tmp_path: Path) -> None:
    folder = WitnessFolder(tmp_path / "witness")
    for run in ("drill/orders/1", "../../escaped", "..", ""):
        folder.declared_at(run, Site(tmp_path).now)

    runs = {path.parent.parent for path in tmp_path.rglob("declaration.json")}
    assert runs == {tmp_path / "witness" / "runs"}
    assert len(list(tmp_path.rglob("declaration.json"))) == 4


class Parameters:
    """SSM as far as passwords need it."""

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, dict[str, str]]:  # noqa: N803
        if Name != "/drills/orders" or not WithDecryption:
            raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
        return {"Parameter": {"Value": "opensesame"}}


def test_a_password_is_read_where_it_lies_when_it_is_needed() -> None:
    passwords = Passwords(SsmParameters(Parameters()), {"ORDERS": "from here"})  # type: ignore[arg-type]

    assert passwords.read(Secret(environment="ORDERS")) == "from here"
    assert passwords.read(Secret(parameter="/drills/orders")) == "opensesame"
    with pytest.raises(
        RefusedError, match=r"cannot read the SSM parameter /drills/users: .*ParameterNotFound"
    ):
        passwords.read(Secret(parameter="/drills/users"))
