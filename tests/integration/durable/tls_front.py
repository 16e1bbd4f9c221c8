"""A TLS front on loopback for an engine that speaks plain text, with an authority of its own."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from integration.durable.loopback import loopback_server


class Authority:
    """Sign certificates into a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=None))
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *hosts: str) -> tuple[Path, Path]:
        """Return the paths of a new certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts or (name,)])
        certificate = self._sign(subject, key, names)
        cert_path, key_path = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return cert_path, key_path

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(self._key, hashes.SHA256())
        )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@dataclass
class TlsFront:
    """Where it listens, who came, and what clients said behind the TLS."""

    address: str = ""
    heard: bytearray = field(default_factory=bytearray)
    clients: list[tuple[str, asyncio.StreamWriter]] = field(default_factory=list)
    refused: str | None = None

    def names(self) -> set[str]:
        return {name for name, _ in self.clients}

    def refuse(self, name: str) -> None:
        """Cut off whoever shows a certificate of that name, now and later."""
        self.refused = name
        for known, writer in self.clients:
            if known == name:
                writer.transport.abort()

    def admit(self, writer: asyncio.StreamWriter) -> bool:
        shown = writer.get_extra_info("peercert")
        name = dict(part[0] for part in shown["subject"])["commonName"] if shown else ""
        self.clients.append((name, writer))
        return name != self.refused


@asynccontextmanager
async def tls_front(
    upstream: str, certificate: tuple[Path, Path], client_authority: Path | None = None
) -> AsyncIterator[TlsFront]:
    """Terminate TLS (and demand client certificates, given an authority) in front of `upstream`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_authority)
    context.load_cert_chain(*certificate)
    context.set_alpn_protocols(["h2"])
    if client_authority:
        context.verify_mode = ssl.CERT_REQUIRED
    front = TlsFront()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray) -> None:
        while data := await reader.read(65536):
            heard += data
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not front.admit(writer):
            return
        host, port = upstream.split(":")
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(pump(reader, up_writer, front.heard), pump(up_reader, writer, bytearray()))
        finally:
            up_writer.transport.abort()

    # A refused handshake is what some tests want; asyncio would report it as unhandled.
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    async with loopback_server(serve, context) as front.address:
        yield front


# The Huffman codes of RFC 7541, appendix B, for what the test's key is made of.
_HUFFMAN = {
    "0": "00000", "1": "00001", "2": "00010", "a": "00011", "c": "00100", "e": "00101", "i": "00110",
    "o": "00111", "s": "01000", "t": "01001", " ": "010100", "r": "101100", "B": "1011101",
}  # fmt: skip


def as_http2_header(text: str) -> bytes:
    """Return a header's value as HTTP/2 compresses it; for the few characters in the table."""
    bits = "".join(_HUFFMAN[character] for character in text)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8)
