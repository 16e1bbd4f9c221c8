"""What a file of payload keys may say, and that no refusal shows a key."""

import base64
from pathlib import Path

import pytest

from steadfleet_durable.encryption_keys import Keyring, PayloadKeysError

OLD, NEW = (base64.b64encode(bytes([fill]) * 32).decode() for fill in (1, 2))
SHORT = base64.b64encode(b"s" * 31).decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "payload-keys"


def test_the_first_key_encrypts_and_all_are_there_to_decrypt(file: Path) -> None:
    file.write_text(f"# since November\n2026-11 {NEW}\n\n  2026-10   {OLD}  # until nothing needs it\n")

    keyring = Keyring.from_environment({"STEADFLEET_PAYLOAD_KEYS": str(file)})

    assert keyring == Keyring("2026-11", {"2026-11": b"\2" * 32, "2026-10": b"\1" * 32})


@pytest.mark.parametrize("env", [{}, {"STEADFLEET_PAYLOAD_KEYS": ""}])
def test_without_a_file_nothing_is_encrypted(env: dict[str, str]) -> None:
    assert Keyring.from_environment(env) is None


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", ": there is no key in it"),
        ("# nothing yet\n", ": there is no key in it"),
        (f"\n{NEW}\n", ", line 2: expected `<key id> <base64 of 32 bytes>`, got 1 words"),
        (f"a b {NEW}\n", ", line 1: expected `<key id> <base64 of 32 bytes>`, got 3 words"),
        (f"2026/11 {NEW}\n", ", line 1: that is no key id"),
        (f"{NEW} 2026-11\n", ", line 1: that is no key id"),
        (f"2026-11 {NEW[:-1]}\n", ", line 1: key 2026-11 is not base64"),
        (f"2026-11 {SHORT}\n", ", line 1: key 2026-11 has 31 bytes, expected 32"),
        (f"a {NEW}\nb {OLD}\na {OLD}\n", ", line 3: a second key a"),
        ("2026-11 ключ\n", ": it is not plain text"),
    ],
)
def test_a_mistake_is_told_by_its_line_and_shows_no_key(file: Path, written: str, said: str) -> None:
    file.write_text(written)

    with pytest.raises(PayloadKeysError) as refused:
        Keyring.from_file(file)

    assert str(refused.value).startswith(f"{file}{said}")
    assert [key for key in (NEW[:12], OLD[:12], SHORT[:12]) if key in told(refused.value)] == []


def test_a_file_that_cannot_be_read_is_named_with_its_variable(file: Path) -> None:
    with pytest.raises(PayloadKeysError, match=f"{file}: No such file.*correct STEADFLEET_PAYLOAD_KEYS"):
        Keyring.from_file(file)


def test_a_keyring_that_is_printed_shows_no_key() -> None:
    assert "\\x01" not in repr(Keyring("old", {"old": b"\1" * 32}))


def told(error: BaseException) -> str:
    """Return all that a log could say of it."""
    causes = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    return "\n".join(f"{cause}{cause.args}{vars(cause)}" for cause in causes)
