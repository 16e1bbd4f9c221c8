"""What a sealed payload gives away, who opens it, and what is said where nobody can."""

from collections.abc import Callable

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from steadfleet_durable import data_converter, words_of
from steadfleet_durable.encryption import (
    KEY_ID,
    NAMESPACE,
    KeyMissingError,
    PayloadEncryption,
    UnreadablePayloadError,
)
from steadfleet_durable.encryption_failures import SealedFailures
from steadfleet_durable.encryption_keys import Keyring

OLD = Keyring("old", {"old": b"\1" * 32})
NEW = Keyring("new", {"new": b"\2" * 32, "old": b"\1" * 32})
SECRET = "correct horse battery staple"
MOST_KEPT = 4096
"""Bytes of an activity's last failure that the engine keeps while it is retried."""


def by(keyring: Keyring, namespace: str = "prod") -> DataConverter:
    return data_converter(PayloadEncryption(keyring, namespace))


async def sealed(keyring: Keyring = OLD) -> Payload:
    return (await by(keyring).encode([SECRET]))[0]


async def test_a_payload_shows_its_key_s_id_and_namespace_and_nothing_of_what_it_says() -> None:
    payload = await sealed()

    assert dict(payload.metadata) == {
        "encoding": b"binary/encrypted",
        "encryption-key-id": b"old",
        "encryption-namespace": b"prod",
    }
    assert b"horse" not in payload.SerializeToString()
    assert await by(OLD).decode([payload]) == [SECRET]


async def test_the_same_value_is_never_sealed_twice_alike() -> None:
    assert len({(await sealed()).data for _ in range(50)}) == 50


async def test_a_new_key_encrypts_and_what_the_old_one_did_stays_readable() -> None:
    before, after = await sealed(OLD), await sealed(NEW)

    assert after.metadata[KEY_ID] == b"new"
    assert await by(NEW).decode([before, after]) == [SECRET, SECRET]


async def test_what_was_never_encrypted_is_read_as_it_is() -> None:
    assert await by(OLD).decode(await data_converter().encode([SECRET])) == [SECRET]


@pytest.mark.parametrize("reader", [by(OLD), data_converter()])
async def test_a_missing_key_is_named_with_what_to_do(reader: DataConverter) -> None:
    with pytest.raises(KeyMissingError, match=r"key 'new'.*add its line to the file that STEADFLEET_PAYLOAD"):
        await reader.decode([await sealed(NEW)])


async def test_a_key_that_was_added_to_the_file_meanwhile_is_found() -> None:
    files = iter([NEW])
    reader = PayloadEncryption(OLD, "prod", reread=lambda: next(files))

    assert await data_converter(reader).decode([await sealed(NEW)]) == [SECRET]
    assert (await reader.encode([Payload()]))[0].metadata[KEY_ID] == b"new"


@pytest.mark.parametrize(
    "altered",
    [
        lambda payload: payload.metadata.update({NAMESPACE: b"dev"}),
        lambda payload: payload.metadata.update({KEY_ID: b"new"}),
        lambda payload: setattr(payload, "data", payload.data[:-1] + bytes([payload.data[-1] ^ 1])),
        lambda payload: setattr(payload, "data", payload.data[:5]),
    ],
    ids=["another namespace", "another key", "another text", "cut off"],
)
async def test_what_was_altered_does_not_open(altered: Callable[[Payload], None]) -> None:
    payload = await sealed(OLD)
    altered(payload)

    with pytest.raises(UnreadablePayloadError, match=r"does not open: it was altered"):
        await by(NEW).decode([payload])


def raised(error: Exception, cause: BaseException | None = None) -> Exception:
    """Raise it, so that it has a stack."""
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def failing_after(layers: int) -> Exception:
    error = raised(ValueError(f"{SECRET} 0"))
    for number in range(1, layers):
        error = raised(ConnectionError(f"{SECRET} {number}"), error)
    return raised(ApplicationError(f"{SECRET} of ours"), error)


async def test_the_words_of_every_cause_are_encrypted_and_come_back() -> None:
    failure = Failure()
    await by(OLD).encode_failure(failing_after(3), failure)

    assert b"horse" not in failure.SerializeToString()
    assert b"test_encryption" not in failure.SerializeToString()
    assert (failure.message, failure.stack_trace) == ("Encoded failure", "")
    error = await by(OLD).decode_failure(failure)
    assert words_of(error) == f"{SECRET} of ours"
    assert [str(cause).rpartition(" ")[2] for cause in causes(error)] == ["2", "1", "0"]


async def test_a_failure_that_is_passed_on_is_encrypted_again_and_says_the_same() -> None:
    once, twice = Failure(), Failure()
    await by(OLD).encode_failure(failing_after(2), once)
    error = await by(OLD).decode_failure(once)
    await by(NEW).encode_failure(error, twice)

    assert b"horse" not in twice.SerializeToString()
    passed_on = await by(NEW).decode_failure(twice)
    assert [str(cause).rpartition(" ")[2] for cause in causes(passed_on)] == ["1", "0"]


async def test_a_failure_of_many_layers_is_short_enough_to_be_kept_with_all_its_words() -> None:
    failure = Failure()
    await by(OLD).encode_failure(failing_after(30), failure)

    assert failure.ByteSize() < MOST_KEPT
    told = " ".join(str(cause) for cause in causes(await by(OLD).decode_failure(failure)))
    assert [number for number in range(30) if f"{SECRET} {number}" not in told] == []


async def test_a_cause_that_says_more_than_words_is_not_folded() -> None:
    error = raised(ApplicationError("innermost", "a detail"))
    for number in range(10):
        error = raised(ApplicationError(str(number)), error)
    failure = Failure()
    SealedFailures().to_failure(error, data_converter().payload_converter, failure)

    assert len(list(causes(await data_converter().decode_failure(failure)))) == 10


def causes(error: BaseException) -> list[BaseException]:
    found = []
    while error.__cause__ is not None:
        error = error.__cause__
        found.append(error)
    return found
