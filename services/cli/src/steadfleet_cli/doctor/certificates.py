"""How long the certificates hold: the client's, the authority's, and the server's as it shows it."""

import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from socket import create_connection

from steadfleet_cli.doctor.findings import Finding, Standing

NAME = "certificates"
_WARN, _FAIL = timedelta(days=30), timedelta(days=7)
_ANSWERS_WITHIN = 5.0
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def certificates(env: Mapping[str, str]) -> Iterator[Finding]:
    """Look at each; an engine that refuses us because one has expired says so in other words."""
    from temporalio.service import TLSConfig  # noqa: PLC0415  # it loads Temporal

    from steadfleet_durable import EngineError, connection_config  # noqa: PLC0415

    try:
        config = connection_config(env=env)
    except EngineError:
        return  # the finding of the engine says what is wrong
    address, tls = config["target_host"], config.get("tls")
    if not tls:
        yield _plain_text(address)
        return
    given = tls if isinstance(tls, TLSConfig) else TLSConfig()
    if given.server_root_ca_cert:
        yield _pem("authority", given.server_root_ca_cert, "TEMPORAL_TLS_SERVER_CA_CERT_PATH")
    if given.client_cert:
        yield _pem("client certificate", given.client_cert, "TEMPORAL_TLS_CLIENT_CERT_PATH")
    yield _shown(address, given.domain)


def _plain_text(address: str) -> Finding:
    if address.rpartition(":")[0] in _LOOPBACK:
        return Finding(NAME, Standing.OK, "none: plain text, on this machine")
    advice = "TEMPORAL_TLS=true; see deploy/temporal-cloud and deploy/self-host"
    return Finding(NAME, Standing.WARNING, f"none: plain text over the network to {address}", advice)


def _pem(name: str, data: bytes, variable: str) -> Finding:
    from cryptography import x509  # noqa: PLC0415  # only who uses TLS waits for it

    try:
        held = x509.load_pem_x509_certificates(data)
    except ValueError as error:
        return Finding(name, Standing.MISSING, f"cannot be read: {error}", f"name PEM in {variable}")
    first = min(held, key=lambda one: one.not_valid_after_utc)
    advice = f"put a new one where {variable} says: running workers take it up by themselves"
    return judged(name, first.not_valid_before_utc, first.not_valid_after_utc, advice)


def _shown(address: str, server_name: str | None) -> Finding:
    from cryptography import x509  # noqa: PLC0415

    name = "server certificate"
    host, _, port = address.rpartition(":")
    context = ssl.create_default_context()
    # An expired one must be read, too; whom to trust is for the connection to judge.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            create_connection((host.strip("[]"), int(port)), _ANSWERS_WITHIN) as plain,
            context.wrap_socket(plain, server_hostname=server_name or host.strip("[]")) as connection,
        ):
            shown = connection.getpeercert(binary_form=True)
    except OSError as error:
        return Finding(name, Standing.UNKNOWN, f"{address} shows none: {error}")
    if shown is None:
        return Finding(name, Standing.UNKNOWN, f"{address} shows none")
    certificate = x509.load_der_x509_certificate(shown)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return judged(name, begins, ends, f"whoever runs {address} must renew it; clients need no change")


def judged(name: str, begins: datetime, ends: datetime, advice: str, now: datetime | None = None) -> Finding:
    """Warn 30 days ahead, fail at 7; of one that lives shorter, at a third and a tenth of its life."""
    now, life = now or datetime.now(UTC), ends - begins
    left = ends - now
    said = f"until {ends:%Y-%m-%d %H:%M} UTC"
    if now < begins:
        return Finding(name, Standing.MISSING, f"not valid before {begins:%Y-%m-%d %H:%M} UTC", advice)
    if left <= timedelta(0):
        return Finding(name, Standing.MISSING, f"expired {ends:%Y-%m-%d %H:%M} UTC", advice)
    if left < min(_FAIL, life / 10):
        return Finding(name, Standing.MISSING, f"{said}: {left.days} days left", advice)
    if left < min(_WARN, life / 3):
        return Finding(name, Standing.WARNING, f"{said}: {left.days} days left", advice)
    return Finding(name, Standing.OK, said)
