"""When the certificates of this process's connection expire: its own, and the server's that it sees."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta

from cryptography import x509
from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.service import TLSConfig

from steadfleet_durable.metrics import Gauge, Labels, labelled, watch
from steadfleet_durable.settings import split_address

CERTIFICATE_EXPIRY = "steadfleet_certificate_expiry_timestamp_seconds"

_LOOK_EVERY = timedelta(minutes=10)
_SERVER_ANSWERS_WITHIN = timedelta(seconds=10)


async def watch_certificates(
    client: Callable[[], Client], meter: MetricMeter, every: timedelta = _LOOK_EVERY
) -> None:
    """Show both until cancelled; without TLS there is nothing to show."""
    gauge = Gauge(meter, CERTIFICATE_EXPIRY, "When the certificate expires.")

    async def look() -> None:
        config = client().service_client.config
        if config.tls:
            given = config.tls if isinstance(config.tls, TLSConfig) else TLSConfig()
            gauge.show(dict(await _expiries(config.target_host, given)))

    await watch("certificates", look, every=every, meter=meter)


async def _expiries(address: str, tls: TLSConfig) -> list[tuple[Labels, float]]:
    seen = await _server_certificate(address, tls.domain)
    return [*_of_the_client(tls), (labelled(certificate="server"), expiry(seen))]


def _of_the_client(tls: TLSConfig) -> Iterator[tuple[Labels, float]]:
    if tls.client_cert:
        # The file's first is the client's own; those that follow are its authorities.
        first = x509.load_pem_x509_certificates(tls.client_cert)[0]
        yield labelled(certificate="client"), first.not_valid_after_utc.timestamp()


def expiry(certificate: bytes) -> float:
    """Return when a certificate (DER) expires, in seconds since the epoch."""
    return x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()


async def _server_certificate(address: str, name: str | None) -> bytes:
    """Read what the server shows. Nothing is sent to it: whether it is trusted is for the SDK to judge."""
    host, port = split_address(address)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with asyncio.timeout(_SERVER_ANSWERS_WITHIN.total_seconds()):
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name or host)
    try:
        certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return certificate
    finally:
        writer.transport.abort()
