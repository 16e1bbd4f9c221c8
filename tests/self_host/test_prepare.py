"""The secrets of a self-hosted engine: made whole or not at all, and nobody else's to read."""

import json
import subprocess
import sys
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

PREPARE = Path(__file__).parents[2] / "deploy" / "self-host" / "prepare.py"
AUDIENCE = "steadfleet-self-host"


def prepare(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, PREPARE, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("self-host") / "secrets"
    assert prepare(folder).returncode == 0
    return folder


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def everything(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_nobody_but_their_owner_reads_the_secrets(made: Path) -> None:
    open_to_others = [path for path in [made, *made.rglob("*")] if path.stat().st_mode & 0o077]
    assert open_to_others == []


def test_what_is_there_is_never_overwritten(made: Path) -> None:
    before = everything(made)
    again = prepare(made)
    assert again.returncode == 0
    assert everything(made) == before


def test_a_folder_that_it_did_not_make_whole_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jwt").mkdir()
    (tmp_path / "jwt" / "key.pem").write_text("precious")
    refused = prepare(tmp_path)
    assert refused.returncode == 1
    assert "was not made whole" in refused.stderr
    assert everything(tmp_path) == {"jwt/key.pem": b"precious"}


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    dies_at_the_first_token = (
        "import jwt, runpy, sys; jwt.encode = None; sys.argv = sys.argv[1:];"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    died = subprocess.run(
        [sys.executable, "-c", dies_at_the_first_token, PREPARE, tmp_path / "secrets"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "TypeError" in died.stderr
    assert list(tmp_path.iterdir()) == []


def test_who_signs_servers_signs_no_clients(made: Path) -> None:
    cluster, clients = (certificate(made / "authority" / f"{name}.crt") for name in ("cluster", "clients"))
    for place, authority in {
        "server/internode": cluster,
        "server/frontend": cluster,
        "postgresql/tls": cluster,
        "proxy/tls": cluster,
        "codec-server/tls": cluster,
        "ui/server": cluster,
        "worker/tls": clients,
        "operator/tls": clients,
        "viewer/tls": clients,
        "admin/tls": clients,
        "ui/tls": clients,
    }.items():
        leaf = certificate(made / f"{place}.crt")
        leaf.verify_directly_issued_by(authority)
        uses = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        expected = {ExtendedKeyUsageOID.CLIENT_AUTH} if authority is clients else set()
        assert expected <= uses
        assert (ExtendedKeyUsageOID.SERVER_AUTH in uses) == (authority is cluster)


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        ("worker", ["steadfleet:write"]),
        ("operator", ["steadfleet:write", "temporal-system:read"]),
        ("viewer", ["steadfleet:read", "temporal-system:read"]),
        ("admin", ["temporal-system:admin"]),
    ],
)
def test_a_token_says_the_role_and_no_more(made: Path, role: str, permissions: list[str]) -> None:
    token = (made / role / "token").read_text()
    (key,) = jwt.PyJWKSet.from_json((made / "server" / "jwks.json").read_text()).keys
    assert jwt.get_unverified_header(token)["kid"] == key.key_id
    claims = jwt.decode(token, key, algorithms=["ES256"], audience=AUDIENCE, issuer=AUDIENCE)
    assert claims["sub"] == role
    assert claims["permissions"] == permissions


def test_the_published_keys_hold_no_private_one(made: Path) -> None:
    (key,) = json.loads((made / "server" / "jwks.json").read_text())["keys"]
    assert "d" not in key


def test_a_viewer_has_no_payload_keys(made: Path) -> None:
    assert "STEADFLEET_PAYLOAD_KEYS" not in (made / "viewer.env").read_text()
    assert f"STEADFLEET_PAYLOAD_KEYS={made / 'payload-keys'}" in (made / "operator.env").read_text()


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("certificates", {"server/frontend.crt", "server/internode.key", "worker/tls.crt", "proxy/tls.key"}),
        ("tokens", {"worker/token", "viewer/token", "proxy/bearers.conf"}),
    ],
)
def test_a_renewal_changes_what_ends_and_nothing_else(tmp_path: Path, what: str, changed: set[str]) -> None:
    folder = tmp_path / "secrets"
    prepare(folder)
    before = everything(folder)
    assert prepare(folder, "--renew", what).returncode == 0
    after = everything(folder)
    different = {name for name in before if before[name] != after[name]}
    assert changed <= different
    kept = ("authority/", "jwt/", "payload-keys", "postgresql-", "ui-passwords", "server/jwks.json", "env/")
    assert [name for name in different if name.startswith(kept)] == []
    assert before.keys() == after.keys()


def test_another_authority_signs_clients_from_the_next_renewal_and_is_trusted_beside_the_old_one(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "secrets"
    prepare(folder)
    old, worker = certificate(folder / "authority" / "clients.crt"), folder / "worker" / "tls.crt"
    before = everything(folder)
    assert prepare(folder, "--renew", "authority").returncode == 0
    after = everything(folder)
    new, *others = x509.load_pem_x509_certificates((folder / "server" / "clients.crt").read_bytes())
    assert others == [old]
    assert {name for name in before if before[name] != after[name]} == {
        "authority/clients.crt",
        "authority/clients.key",
        "server/clients.crt",
    }

    assert prepare(folder, "--renew", "certificates").returncode == 0
    certificate(worker).verify_directly_issued_by(new)
    assert x509.load_pem_x509_certificates((folder / "server" / "clients.crt").read_bytes()) == [new, old]


def test_an_authority_is_trusted_until_no_certificate_here_is_of_it_and_then_the_server_is_told(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "secrets"
    prepare(folder)
    prepare(folder, "--renew", "authority")
    before = everything(folder)
    refused = prepare(folder, "--renew", "trust")
    assert refused.returncode == 1
    assert "worker/tls.crt is of an older authority: `--renew certificates` first" in refused.stderr
    assert everything(folder) == before

    prepare(folder, "--renew", "certificates")
    shown = certificate(folder / "server" / "frontend.crt")
    assert prepare(folder, "--renew", "trust").returncode == 0
    [newest] = x509.load_pem_x509_certificates((folder / "server" / "clients.crt").read_bytes())
    assert x509.load_pem_x509_certificates((folder / "authority" / "clients.crt").read_bytes()) == [newest]
    certificate(folder / "worker" / "tls.crt").verify_directly_issued_by(newest)
    assert certificate(folder / "server" / "frontend.crt") != shown


def test_a_key_that_was_brought_back_for_a_newer_authority_signs_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    prepare(folder)
    old_key = (folder / "authority" / "clients.key").read_bytes()
    prepare(folder, "--renew", "authority")
    (folder / "authority" / "clients.key").write_bytes(old_key)
    refused = prepare(folder, "--renew", "certificates")
    assert refused.returncode == 1
    assert "authority/clients.key is of another authority than its .crt" in refused.stderr


def test_nothing_is_renewed_that_was_never_made(tmp_path: Path) -> None:
    refused = prepare(tmp_path / "secrets", "--renew", "certificates")
    assert refused.returncode == 1
    assert "run it without --renew first" in refused.stderr
    assert list(tmp_path.iterdir()) == []
