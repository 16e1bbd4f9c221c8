"""What signs is made of the settings, and what it is to be trusted as can be shown and pasted."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from steadfleet_core.contract import read_contract
from steadfleet_durable import WorkerConfigError
from steadfleet_signer import keys
from steadfleet_signer.main import main
from steadfleet_signer.pens import pen_of
from steadfleet_signer.settings import PenSettings
from steadfleet_signing.statement import PLAIN_SIGNATURE, Statement, Subject
from steadfleet_signing.trust import TrustMaterial, TrustPolicy
from steadfleet_signing.verify import verify_bundle

BUILDER = "https://builders.example/image"


@pytest.fixture
def key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "signing.pem"
    keys.make(path)
    capsys.readouterr()
    return path


def settings(key: Path, environment: str = "dev") -> dict[str, str]:
    return {
        "STEADFLEET_SIGNING_KEY_FILE": str(key),
        "STEADFLEET_BUILDER_ID": BUILDER,
        "STEADFLEET_ENVIRONMENT": environment,
    }


def statement() -> bytes:
    subject = Subject(name="image", digest={"sha256": "0" * 64})
    return Statement(subjects=(subject,), predicate_type=PLAIN_SIGNATURE).canonical()


def test_a_new_key_is_for_its_owner_alone_and_is_never_overwritten(key: Path) -> None:
    written = key.read_bytes()

    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(WorkerConfigError, match="exists: what it signed could be verified no more"):
        keys.make(key)
    assert key.read_bytes() == written


def test_what_is_shown_makes_a_policy_that_trusts_it(
    key: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in settings(key).items():
        monkeypatch.setenv(name, value)

    main(["key", "show"])

    shown = capsys.readouterr().out
    spec = {"environment": "prod", **yaml.safe_load(shown[shown.index("# Below") :])}
    whole = {
        "apiVersion": "steadfleet.dev/v1",
        "kind": "TrustPolicy",
        "metadata": {"name": "prod"},
        "spec": spec,
    }
    policy = read_contract(yaml.safe_dump(whole), "trust.yaml", TrustPolicy)
    bundle = pen_of(PenSettings.from_env(settings(key))).signer.sign(statement())
    assert verify_bundle(bundle, TrustMaterial.of(policy)).statement.predicate_type == PLAIN_SIGNATURE
    assert policy.spec.keys[0].builders == (BUILDER,)


def test_the_command_makes_a_key_and_says_what_is_wrong(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("steadfleet-signer")), "key", "new", str(tmp_path / "key")]

    made, again = (
        subprocess.run(command, capture_output=True, text=True, check=False, timeout=60) for _ in range(2)
    )

    assert made.stdout.startswith("-----BEGIN PUBLIC KEY-----")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith(f"steadfleet-signer: {tmp_path / 'key'} exists")
    assert "Traceback" not in again.stderr


def test_a_key_in_a_file_does_not_sign_for_prod(key: Path) -> None:
    with pytest.raises(WorkerConfigError, match="holds its key in a file, which 'prod' refuses"):
        pen_of(PenSettings.from_env(settings(key, "prod")))


def test_a_key_that_everybody_can_read_does_not_sign(key: Path) -> None:
    key.chmod(0o644)

    with pytest.raises(WorkerConfigError, match="expected mode 0600"):
        pen_of(PenSettings.from_env(settings(key)))


@pytest.mark.parametrize("content", ["", "no key", "-----BEGIN PUBLIC KEY-----"])
def test_what_is_no_private_key_is_refused_without_showing_it(key: Path, content: str) -> None:
    key.write_text(content)

    with pytest.raises(WorkerConfigError, match="the signing key cannot be read") as refused:
        pen_of(PenSettings.from_env(settings(key)))
    assert not content or content not in str(refused.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorkerConfigError, match="No such file"):
        pen_of(PenSettings.from_env(settings(tmp_path / "gone")))
