"""
Make what a self-hosted engine must keep secret: authorities, certificates, tokens, keys, passwords.

The folder is made whole or not at all, readable by its owner alone, and never overwritten. What ends by
itself is renewed in place, `--renew certificates` and `--renew tokens`: the server and the workers take the
new ones without a restart; PostgreSQL and the proxy are told to, as README.md says. `--renew authority`, then
`certificates`, then `trust` put another authority in the place of the clients'.
"""

# ruff: noqa: INP001, T201 - a command, and no package

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from steadfleet_cli.trust import make_trust

HERE = Path(__file__).resolve().parent
NAMESPACE = "steadfleet"
AUDIENCE = "steadfleet-self-host"
AUTHORITY_LASTS = timedelta(days=3650)
LEAF_LASTS = timedelta(days=90)
TOKEN_LASTS = timedelta(days=90)
COMPLETE = ".complete"
CONTAINER_USER = 1000
"""Whose the files are, and as whom the containers run, where root prepares: never root."""

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
ROLES = {
    # The default authorizer lets no one poll who may not write, so a worker's token is an operator's.
    "worker": [f"{NAMESPACE}:write"],
    # The web UI's first questions are which namespaces there are, and what cluster this is.
    "operator": [f"{NAMESPACE}:write", "temporal-system:read"],
    "viewer": [f"{NAMESPACE}:read", "temporal-system:read"],
    "admin": ["temporal-system:admin"],
}
PEOPLE = ("operator", "viewer", "admin")


class PrepareError(Exception):
    """What stands in the way, and what to do."""


@dataclass(frozen=True)
class Leaf:
    """One certificate: where it lies, who signs it, and what it is good for."""

    place: str
    authority: str
    names: tuple[str, ...]
    uses: tuple[x509.ObjectIdentifier, ...]


LOOPBACK = ("localhost", "127.0.0.1")
FRONTEND = Leaf("server/frontend", "cluster", ("temporal", *LOOPBACK), (SERVER, CLIENT))
LEAVES = (
    FRONTEND,
    Leaf("server/internode", "cluster", ("internode",), (SERVER, CLIENT)),
    Leaf("postgresql/tls", "cluster", ("postgresql", *LOOPBACK), (SERVER,)),
    Leaf("proxy/tls", "cluster", LOOPBACK, (SERVER,)),
    Leaf("codec-server/tls", "cluster", ("codec-server", *LOOPBACK), (SERVER,)),
    Leaf("ui/server", "cluster", ("ui", *LOOPBACK), (SERVER,)),
    *(Leaf(f"{role}/tls", "clients", (role,), (CLIENT,)) for role in (*ROLES, "ui")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE / "secrets")
    parser.add_argument("--renew", choices=RENEWALS)
    parser.add_argument(
        "--engine-port", type=int, default=7233, help="where clients of this machine reach it"
    )
    parser.add_argument("--proxy-port", type=int, default=8443)
    asked = parser.parse_args()
    os.umask(0o077)
    try:
        if asked.renew:
            renew(asked.folder.resolve(), asked.renew)
        else:
            prepare(asked.folder.resolve(), asked.engine_port, asked.proxy_port)
    except PrepareError as error:
        sys.exit(f"prepare: {error}")


def prepare(folder: Path, engine_port: int, proxy_port: int) -> None:
    if (folder / COMPLETE).exists():
        print(f"prepare: {folder} is there already, and stays as it is")
        return
    if folder.exists():
        raise PrepareError(
            f"{folder} exists and was not made whole by this command: move it away, or name another folder"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        make_all(scratch, folder, engine_port, proxy_port)
        give_to_containers(scratch)
        scratch.rename(folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    print(f"prepare: made {folder}; certificates end on {datetime.now(UTC) + LEAF_LASTS:%Y-%m-%d}")


def renew(folder: Path, what: str) -> None:
    if not (folder / COMPLETE).exists():
        raise PrepareError(f"{folder} was not made by this command: run it without --renew first")
    RENEWALS[what](folder)
    give_to_containers(folder)
    print(f"prepare: renewed the {what} of {folder}")


def make_all(folder: Path, final: Path, engine_port: int, proxy_port: int) -> None:
    for authority in ("cluster", "clients"):
        make_authority(folder / "authority", authority)
    make_leaves(folder)
    make_jwt_key(folder)
    make_tokens(folder)
    make_profile(folder)
    for role in PEOPLE:
        write(folder / f"{role}.env", environment(role, final, engine_port, proxy_port))
    for name in ("postgresql-password", "postgresql-superuser-password"):
        write(folder / name, secrets.token_urlsafe(32))
    key_id = f"{datetime.now(UTC):%Y-%m}"
    write(folder / "payload-keys", f"{key_id} {base64.b64encode(secrets.token_bytes(32)).decode()}\n")
    make_people(folder)
    (folder / "signing").mkdir()
    make_trust(folder / "signing")
    write(folder / "witness" / "ledgers.yaml", "ledgers: []\n")
    make_worker_settings(folder)
    uid, gid = owner()
    write(
        folder / "compose.env",
        f"SELF_HOST_SECRETS={final}\nSELF_HOST_USER={uid}:{gid}\n"
        f"SELF_HOST_ENGINE_PORT={engine_port}\nSELF_HOST_PROXY_PORT={proxy_port}\n",
    )
    write(folder / COMPLETE, "1\n")


def make_authority(folder: Path, name: str, trusted: bytes = b"") -> None:
    """Make one that signs from now on; its certificate comes first, before those that are still trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Steadfleet self-host: {name}")])
    certificate = (
        _begin(subject, subject, key.public_key(), AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write(folder / f"{name}.key", _pem(key))
    write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM) + trusted)


def add_client_authority(folder: Path) -> None:
    """Sign clients with a new authority; the server trusts those before it too, until `trust_newest`."""
    authority = folder / "authority"
    make_authority(authority, "clients", (authority / "clients.crt").read_bytes())
    write(folder / "server" / "clients.crt", (authority / "clients.crt").read_bytes())


def trust_newest(folder: Path) -> None:
    """Let in clients of the newest authority alone, once all certificates here are of it."""
    newest = x509.load_pem_x509_certificate((folder / "authority" / "clients.crt").read_bytes())
    for leaf in LEAVES:
        certificate = (folder / leaf.place).with_suffix(".crt")
        if leaf.authority == "clients" and not _signed(certificate, newest):
            raise PrepareError(f"{certificate} is of an older authority: `--renew certificates` first")
    for place in ("authority", "server"):
        write(folder / place / "clients.crt", newest.public_bytes(serialization.Encoding.PEM))
    # The server compares the first certificate of each file alone: this one tells it to read all anew.
    make_leaf(folder, FRONTEND)


def make_leaves(folder: Path) -> None:
    for leaf in LEAVES:
        make_leaf(folder, leaf)
    authority = folder / "authority"
    for name in ("cluster", "clients"):
        write(folder / "server" / f"{name}.crt", (authority / f"{name}.crt").read_bytes())
    for holder in (*ROLES, "ui", "proxy", "codec-server"):
        write(folder / holder / "ca.crt", (authority / "cluster.crt").read_bytes())


def make_leaf(folder: Path, leaf: Leaf) -> None:
    signer = x509.load_pem_x509_certificate((folder / "authority" / f"{leaf.authority}.crt").read_bytes())
    signer_key = serialization.load_pem_private_key(
        (folder / "authority" / f"{leaf.authority}.key").read_bytes(), None
    )
    assert isinstance(signer_key, ec.EllipticCurvePrivateKey)  # noqa: S101 - our own file
    if signer_key.public_key() != signer.public_key():
        raise PrepareError(f"authority/{leaf.authority}.key is of another authority than its .crt")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, leaf.names[0])])
    certificate = (
        _begin(subject, signer.subject, key.public_key(), LEAF_LASTS)
        .add_extension(
            x509.SubjectAlternativeName([_alternative(name) for name in leaf.names]), critical=False
        )
        .add_extension(x509.ExtendedKeyUsage(leaf.uses), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_key.public_key()), critical=False
        )
        .sign(signer_key, hashes.SHA256())
    )
    place = folder / leaf.place
    write(place.with_suffix(".key"), _pem(key))
    write(place.with_suffix(".crt"), certificate.public_bytes(serialization.Encoding.PEM))


def make_jwt_key(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    write(folder / "jwt" / "key.pem", _pem(key))
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    public |= {"kid": _kid(key), "alg": "ES256", "use": "sig"}
    write(folder / "server" / "jwks.json", json.dumps({"keys": [public]}, indent=2) + "\n")


def make_tokens(folder: Path) -> None:
    for role in ROLES:
        write(folder / role / "token", token(folder, role))
    bearers = (f'{role} "Bearer {(folder / role / "token").read_text()}";\n' for role in PEOPLE)
    write(folder / "proxy" / "bearers.conf", "".join(bearers))


def token(folder: Path, role: str) -> str:
    """Return a signed claim to the role, for as long as tokens last."""
    key = serialization.load_pem_private_key((folder / "jwt" / "key.pem").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - our own file
    now = int(time.time())
    claims = {
        "iss": AUDIENCE,
        "aud": AUDIENCE,
        "sub": role,
        "iat": now,
        "exp": now + int(TOKEN_LASTS.total_seconds()),
        "permissions": ROLES[role],
    }
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": _kid(key)})


def make_profile(folder: Path) -> None:
    """Write what a worker's container reads as TEMPORAL_CONFIG_FILE: paths are the container's."""
    inside = "/run/steadfleet/worker"
    write(
        folder / "worker" / "temporal.toml",
        f"""\
[profile.default]
address = "temporal:7233"
namespace = "{NAMESPACE}"

[profile.default.tls]
server_name = "temporal"
server_ca_cert_path = "{inside}/ca.crt"
client_cert_path = "{inside}/tls.crt"
client_key_path = "{inside}/tls.key"
""",
    )


def environment(role: str, final: Path, engine_port: int, proxy_port: int) -> str:
    """Return what a person of this machine sources to use the engine in this role."""
    keys = "" if role == "viewer" else f"export STEADFLEET_PAYLOAD_KEYS={final / 'payload-keys'}\n"
    return f"""\
# `source` this to use the self-hosted engine as {role}.
export TEMPORAL_ADDRESS=localhost:{engine_port}
export TEMPORAL_NAMESPACE={NAMESPACE}
export TEMPORAL_TLS=true
export TEMPORAL_TLS_SERVER_NAME=temporal
export TEMPORAL_TLS_SERVER_CA_CERT_PATH={final / role / "ca.crt"}
export TEMPORAL_TLS_CLIENT_CERT_PATH={final / role / "tls.crt"}
export TEMPORAL_TLS_CLIENT_KEY_PATH={final / role / "tls.key"}
TEMPORAL_API_KEY=$(cat {final / role / "token"})
export TEMPORAL_API_KEY
export STEADFLEET_UI_URL=https://localhost:{proxy_port}
{keys}"""


def make_people(folder: Path) -> None:
    """Give each role that is a person a password for the web UI; nginx reads salted SHA-1 on every system."""
    words = {role: secrets.token_urlsafe(24) for role in PEOPLE}
    write(folder / "ui-passwords", "".join(f"{role} {word}\n" for role, word in words.items()))
    write(folder / "proxy" / "users", "".join(f"{role}:{_salted(word)}\n" for role, word in words.items()))


def _salted(word: str) -> str:
    salt = secrets.token_bytes(16)
    digest = hashlib.sha1(word.encode() + salt).digest()  # noqa: S324 - of 192 random bits
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


def make_worker_settings(folder: Path) -> None:
    for example in sorted((HERE / "env").glob("*.env")):
        write(folder / "env" / example.name, example.read_text())


def give_to_containers(folder: Path) -> None:
    """Hand the files to who runs the containers: root prepares for a plain user, others for themselves."""
    if os.geteuid() != 0:
        return
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, *owner(), follow_symlinks=False)


def owner() -> tuple[int, int]:
    if os.geteuid() == 0:
        return CONTAINER_USER, CONTAINER_USER
    return os.getuid(), os.getgid()


def write(path: Path, content: str | bytes) -> None:
    """Put the file there at once, for its owner's eyes alone: a reader sees the old one or the new one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # mode 0600
    with os.fdopen(handle, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    Path(scratch).replace(path)


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lasts: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # a reader's clock may be behind
        .not_valid_after(now + lasts)
    )


def _signed(certificate: Path, authority: x509.Certificate) -> bool:
    try:
        x509.load_pem_x509_certificate(certificate.read_bytes()).verify_directly_issued_by(authority)
    except InvalidSignature:
        return False
    return True


def _alternative(name: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _kid(key: ec.EllipticCurvePrivateKey) -> str:
    numbers = key.public_key().public_numbers()
    return hashlib.sha256(f"{numbers.x}.{numbers.y}".encode()).hexdigest()[:16]


RENEWALS = {
    "certificates": make_leaves,
    "tokens": make_tokens,
    "authority": add_client_authority,
    "trust": trust_newest,
}

if __name__ == "__main__":
    main()
