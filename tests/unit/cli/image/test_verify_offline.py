"""Verifying on one machine alone: no Temporal, no network, and the same answer as a worker's."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.trust import image, new_signer, plain, provenance, sbom, smoke_tested, trusted_key, trusting
from steadfleet_cli.main import steadfleet
from steadfleet_core.model import digest_of
from steadfleet_signing.ami import describe
from steadfleet_signing.statement import Statement, Subject

SIGNER, STRANGER = new_signer(), new_signer()
IMAGE = image()
DIGEST = f"sha256:{IMAGE.digest['sha256']}"
AMI: dict[str, Any] = {
    "ImageId": "ami-0123456789abcdef0",
    "OwnerId": "111122223333",
    "Architecture": "x86_64",
    "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "snap-1", "VolumeSize": 8}}],
}
# Ends the process at the first look-up or connection: an audit hook cannot be taken away again.
GUARD = """\
import os, sys
def guard(event, args):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"}:
        os.write(2, f"the network was asked: {event}".encode())
        os._exit(99)
sys.addaudithook(guard)
"""
# Temporal's client connects in native code, which no hook sees: so it must not even be loaded.
COMMAND = """\
from steadfleet_cli.main import steadfleet
code = steadfleet.answer(sys.argv[1:])
print([name for name in ("temporalio", "sigstore", "boto3") if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""
ALONE = {"TEMPORAL_ADDRESS": "127.0.0.1:1", "PATH": ""}


def guarded(code: str, *argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", GUARD + code, *argv]
    return subprocess.run(command, env=ALONE, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    policy = trusting(trusted_key(SIGNER))
    write("trust.yaml", yaml.safe_dump(policy.model_dump(mode="json", by_alias=True)))
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    for name, statement in {
        "provenance": provenance(IMAGE),
        "sbom": sbom(IMAGE),
        "tests": smoke_tested(IMAGE),
    }.items():
        (bundles / f"{name}.sigstore.json").write_bytes(SIGNER.sign(statement))
    return tmp_path


def write(name: str, content: str | bytes) -> None:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)


def verify(*argv: str) -> int:
    return steadfleet.answer(["image", "verify", "--trust-policy", "trust.yaml", *argv])


@pytest.mark.usefixtures("folder")
def test_an_image_with_all_proofs_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    code = verify("--bundle", "bundles", "--digest", DIGEST, "--demand", "sbom", "--demand", "tests")

    out = capsys.readouterr().out
    assert code == 0
    assert "proven: provenance, by key release" in out
    assert "states: SBOM (https://cyclonedx.org/bom)" in out
    assert "demanded: signature, provenance, sbom, tests" in out
    assert out.endswith("allowed: the image may be used\n")


@pytest.mark.usefixtures("folder")
def test_nothing_is_asked_of_anybody_and_nothing_heavy_is_loaded() -> None:
    argv = ("image", "verify", "--trust-policy", "trust.yaml", "--bundle", "bundles", "--digest", DIGEST)

    said = guarded(COMMAND, *argv)

    assert (said.returncode, said.stderr) == (0, "[]\n")


def test_the_guard_ends_what_asks_the_network() -> None:
    said = guarded("import socket; socket.create_connection(('127.0.0.1', 1))")

    assert (said.returncode, said.stderr.partition(":")[0]) == (99, "the network was asked")


@pytest.mark.usefixtures("folder")
def test_a_stranger_and_a_damaged_bundle_prove_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    write("stranger.json", STRANGER.sign(plain(IMAGE)))
    write("junk.json", "{}")
    code = verify("--bundle", "stranger.json", "--bundle", "junk.json", "--digest", DIGEST)

    out = capsys.readouterr().out
    assert code == 6
    assert "refused: it is signed by a key that the policy does not trust" in out
    assert out.endswith("NOT allowed: do not use the image\n")


@pytest.mark.usefixtures("folder")
def test_attestations_of_another_image_do_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    code = verify("--bundle", "bundles", "--digest", digest_of(b"another"), "--output", "json")

    document = json.loads(capsys.readouterr().out)
    assert code == 6
    assert document["decision"]["allowed"] is False
    assert "was it copied from another image?" in document["decision"]["reasons"][-1]


@pytest.mark.usefixtures("folder")
def test_another_environment_has_another_rule(capsys: pytest.CaptureFixture[str]) -> None:
    write("signed.json", SIGNER.sign(plain(IMAGE)))
    only_signed = ("--bundle", "signed.json", "--digest", DIGEST)

    assert verify(*only_signed) == 6
    assert verify(*only_signed, "--environment", "staging") == 0
    capsys.readouterr()
    assert verify("--bundle", "signed.json", "--digest", digest_of(b"other"), "--environment", "dev") == 0
    assert "allowed without proof: dev demands none" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_a_manifest_and_an_amis_descriptor_are_measured_here(capsys: pytest.CaptureFixture[str]) -> None:
    described = describe(AMI, "eu-west-1")
    ami = Subject(name=described.arn, digest={"sha256": described.digest.removeprefix("sha256:")})
    write("ami.json", json.dumps({"Images": [AMI]}))
    write("manifest.json", '{"schemaVersion": 2}')
    manifest = Subject(
        name="web", digest={"sha256": digest_of(b'{"schemaVersion": 2}').removeprefix("sha256:")}
    )
    write("ami.sigstore.json", SIGNER.sign(provenance(ami)))
    write("oci.sigstore.json", SIGNER.sign(provenance(manifest)))
    by_ami = ("--bundle", "ami.sigstore.json", "--descriptor", "ami.json")

    assert verify(*by_ami, "--place", "eu-west-1") == 0
    assert verify(*by_ami, "--place", "us-east-1") == 6
    assert verify("--bundle", "oci.sigstore.json", "--manifest", "manifest.json") == 0
    assert verify("--bundle", "ami.sigstore.json", "--manifest", "manifest.json") == 6
    assert "seen by a trusted authority: no" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_what_strangers_wrote_reaches_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    named = Subject(name="web\x1b[2J\nallowed: the image may be used", digest=IMAGE.digest)
    statement = Statement(subjects=(named,), predicate_type="https://x\x1b[31m")
    write("bad.json", SIGNER.sign(statement.canonical()))
    verify("--bundle", "bad.json", "--digest", DIGEST)

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\nallowed: the image may be used" not in out


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["--bundle", "no.json", "--digest", DIGEST], 2, "bundle no.json: No such file"),
        (["--bundle", ".", "--digest", DIGEST], 2, "the folder has no *.json"),
        (["--bundle", "bundles"], 2, "expected --digest, --manifest or --descriptor"),
        (["--digest", DIGEST], 2, "expected both --bundle and --trust-policy"),
        (["--bundle", "bundles", "--digest", "sha256:abc"], 2, "64 lower-case hexadecimal digits"),
        (["--bundle", "bundles", "--digest", DIGEST, "--deep"], 2, "asks no worker"),
        (["--bundle", "bundles", "--digest", DIGEST, "web", "1.4.2"], 2, "asks no worker"),
        (["--bundle", "bundles", "--descriptor", "trust.yaml"], 2, "--descriptor with --place"),
        (["--bundle", "bundles", "--descriptor", "trust.yaml", "--place", "x"], 2, "one image"),
        (["--bundle", "bundles", "--digest", DIGEST, "--trust-policy", "bundles"], 2, "Is a directory"),
        (
            ["--bundle", "bundles", "--digest", DIGEST, "--trusted-root", "trust.yaml"],
            3,
            "its trustedRoot",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    folder: Path, argv: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "." in argv:
        for file in (folder / "bundles").iterdir():
            file.unlink()

    assert verify(*argv) == code
    assert words in capsys.readouterr().err


def test_a_worker_is_asked_of_one_image(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([], ["web"], ["web", "1.4.2", "--id", "ami-1"], ["--id", "ami-1", "--platform", "aws"]):
        assert steadfleet.answer(["image", "verify", *argv]) == 2
    assert "expected either FAMILY VERSION, or --id" in capsys.readouterr().err
