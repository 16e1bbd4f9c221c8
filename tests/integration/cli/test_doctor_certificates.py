"""Certificates as they really are: in files, and as a server on this machine shows its own."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from integration.durable.loopback import loopback_server

from steadfleet_cli.doctor.certificates import certificates
from steadfleet_cli.doctor.findings import Finding, Standing

YEAR = timedelta(days=365)


def issue(folder: Path, name: str, left: timedelta) -> tuple[Path, Path]:
    """Make a certificate that signs itself, with a year's life of which `left` is left."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    ends = datetime.now(UTC) + left
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(ends - YEAR)
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    key_path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return cert_path, key_path


@asynccontextmanager
async def server(certificate: tuple[Path, Path]) -> AsyncIterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with loopback_server(serve, context) as address:
        yield address


async def look(address: str, **env: str) -> dict[str, Finding]:
    given = {"TEMPORAL_ADDRESS": address, "TEMPORAL_TLS": "true", **env}
    return {found.name: found for found in await asyncio.to_thread(lambda: list(certificates(given)))}


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (timedelta(days=100), Standing.OK),
        (timedelta(days=20), Standing.WARNING),
        (timedelta(days=3), Standing.MISSING),
        (timedelta(days=-1), Standing.MISSING),
    ],
)
async def test_the_servers_own_is_read_as_it_is_shown_also_when_it_has_expired(
    tmp_path: Path, left: timedelta, expected: Standing
) -> None:
    async with server(issue(tmp_path, "server", left)) as address:
        found = (await look(address))["server certificate"]

    assert found.standing is expected
    assert ("expired" in found.found) == (left < timedelta(0))
    assert (expected is Standing.OK) or address in found.advice


async def test_client_and_authority_are_read_from_their_files(tmp_path: Path) -> None:
    authority, _ = issue(tmp_path, "authority", timedelta(days=20))
    client, key = issue(tmp_path, "client", timedelta(days=-1))
    files = {
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority),
        "TEMPORAL_TLS_CLIENT_CERT_PATH": str(client),
        "TEMPORAL_TLS_CLIENT_KEY_PATH": str(key),
    }
    async with server(issue(tmp_path, "server", YEAR / 2)) as address:
        found = await look(address, **files)

    assert [(name, one.standing.value) for name, one in found.items()] == [
        ("authority", "warning"),
        ("client certificate", "missing"),
        ("server certificate", "ok"),
    ]
    assert "TEMPORAL_TLS_CLIENT_CERT_PATH" in found["client certificate"].advice


async def test_of_an_authority_of_several_the_first_to_expire_counts(tmp_path: Path) -> None:
    old, _ = issue(tmp_path, "old", timedelta(days=-1))
    new, _ = issue(tmp_path, "new", YEAR)
    both = tmp_path / "both.pem"
    both.write_bytes(new.read_bytes() + old.read_bytes())

    async with server(issue(tmp_path, "server", YEAR / 2)) as address:
        found = await look(address, TEMPORAL_TLS_SERVER_CA_CERT_PATH=str(both))

    assert found["authority"].found.startswith("expired")


async def test_a_server_without_tls_is_unknown_not_fine() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with loopback_server(plain) as address:
        found = (await look(address))["server certificate"]

    assert found.standing is Standing.UNKNOWN
