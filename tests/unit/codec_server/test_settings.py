"""What the codec server refuses before it listens."""

import base64
from pathlib import Path

import pytest

from steadfleet_codec_server.settings import Settings
from steadfleet_durable import EngineError


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "keys").write_text(f"now {base64.b64encode(b'k' * 32).decode()}\n")
    (tmp_path / "jwks.json").write_text('{"keys": []}')
    return {
        "STEADFLEET_PAYLOAD_KEYS": str(tmp_path / "keys"),
        "STEADFLEET_CODEC_JWKS": str(tmp_path / "jwks.json"),
        "STEADFLEET_CODEC_AUDIENCE": "steadfleet-codec",
    }


def test_what_is_needed_is_enough(env: dict[str, str]) -> None:
    settings = Settings.from_env(env)

    assert settings.address == ("127.0.0.1", 8081)
    assert (settings.origins, settings.certificate) == ((), None)


def test_origins_are_a_list_by_commas(env: dict[str, str]) -> None:
    said = {"STEADFLEET_CODEC_ORIGINS": "https://temporal.example.com, http://localhost:8080"}

    assert Settings.from_env(env | said).origins == ("https://temporal.example.com", "http://localhost:8080")


@pytest.mark.parametrize(
    "needed", ["STEADFLEET_PAYLOAD_KEYS", "STEADFLEET_CODEC_JWKS", "STEADFLEET_CODEC_AUDIENCE"]
)
def test_what_is_missing_is_named(env: dict[str, str], needed: str) -> None:
    with pytest.raises(EngineError, match=f"{needed} is not set"):
        Settings.from_env({name: value for name, value in env.items() if name != needed})


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"STEADFLEET_PAYLOAD_KEYS": "/no/keys"}, "/no/keys: No such file"),
        ({"STEADFLEET_CODEC_ADDRESS": "8081"}, "STEADFLEET_CODEC_ADDRESS=8081: expected `host:port`"),
        ({"STEADFLEET_CODEC_ORIGINS": "*"}, r"\* is no origin"),
        ({"STEADFLEET_CODEC_ORIGINS": "https://*.example.com"}, "is no origin"),
        ({"STEADFLEET_CODEC_ORIGINS": "https://a.example/"}, "is no origin"),
        ({"STEADFLEET_CODEC_JWKS": "/no/jwks"}, "/no/jwks: there is no such file"),
        ({"STEADFLEET_CODEC_JWKS": "http://idp.example/jwks"}, "keys over plain HTTP are anybody's"),
        ({"STEADFLEET_CODEC_CERTIFICATE": "/tls.pem"}, "only STEADFLEET_CODEC_CERTIFICATE is set"),
        (
            {"STEADFLEET_CODEC_CERTIFICATE": "/no.pem", "STEADFLEET_CODEC_CERTIFICATE_KEY": "/no.key"},
            "STEADFLEET_CODEC_CERTIFICATE=/no.pem.*No such file",
        ),
        ({"STEADFLEET_CODEC_ADDRESS": "0.0.0.0:8081"}, "would travel in clear text"),
        ({"STEADFLEET_CODEC_TLS": "no"}, "STEADFLEET_CODEC_TLS=no: expected elsewhere"),
    ],
)
def test_what_cannot_be_right_is_refused(env: dict[str, str], said: dict[str, str], problem: str) -> None:
    with pytest.raises(EngineError, match=problem):
        Settings.from_env(env | said)


@pytest.mark.parametrize(
    "said",
    [
        {"STEADFLEET_CODEC_ADDRESS": "0.0.0.0:8081", "STEADFLEET_CODEC_TLS": "elsewhere"},
        {"STEADFLEET_CODEC_ADDRESS": "[::1]:8081"},
        {"STEADFLEET_CODEC_JWKS": "https://idp.example/jwks"},
        {"STEADFLEET_CODEC_JWKS": "http://127.0.0.1:8080/jwks"},
    ],
)
def test_what_is_safe_is_taken(env: dict[str, str], said: dict[str, str]) -> None:
    Settings.from_env(env | said)
