"""The ends of a client's certificate and of the server's are seen as the connection sees them."""

from pathlib import Path

import pytest
from cryptography import x509
from integration.durable.tls_front import Authority, tls_front
from temporalio.testing import WorkflowEnvironment

from steadfleet_durable.connection_config import connection_config
from steadfleet_durable.metrics_certificates import _expiries


def ends(path: Path) -> float:
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp()


async def test_both_ends_are_told(dev_server: WorkflowEnvironment, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("worker")
    server = authority.issue("engine.internal")
    async with tls_front(
        dev_server.client.service_client.config.target_host, server, authority.path
    ) as front:
        config = connection_config(
            env={
                "TEMPORAL_ADDRESS": front.address,
                "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.path),
                "TEMPORAL_TLS_SERVER_NAME": "engine.internal",
                "TEMPORAL_TLS_CLIENT_CERT_PATH": str(certificate),
                "TEMPORAL_TLS_CLIENT_KEY_PATH": str(key),
            }
        )
        tls = config["tls"]
        assert not isinstance(tls, bool)
        seen = dict(await _expiries(front.address, tls))

    assert seen == {
        (("certificate", "client"),): ends(certificate),
        (("certificate", "server"),): ends(server[0]),
    }


async def test_a_server_that_is_gone_is_an_error_and_no_old_date(tmp_path: Path) -> None:
    config = connection_config(env={"TEMPORAL_ADDRESS": "127.0.0.1:1", "TEMPORAL_TLS": "true"})
    tls = config["tls"]
    assert not isinstance(tls, bool)

    with pytest.raises(OSError, match=r"127\.0\.0\.1"):
        await _expiries("127.0.0.1:1", tls)
