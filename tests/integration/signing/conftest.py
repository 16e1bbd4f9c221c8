"""A key, a private Sigstore, and cosign in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.signing.oracles import Cosign
from integration.signing.signing import new_signer

from fakes.sigstore import LocalSigstore
from steadfleet_signing.signers import LocalKeySigner


@pytest.fixture(scope="session")
def sigstore() -> Iterator[LocalSigstore]:
    with LocalSigstore.running() as sigstore:
        yield sigstore


@pytest.fixture(scope="session")
def other_sigstore(sigstore: LocalSigstore) -> Iterator[LocalSigstore]:
    """Another instance, which knows the same people."""
    with LocalSigstore.running(sigstore.issuer) as other:
        yield other


@pytest.fixture
def signer() -> LocalKeySigner:
    return new_signer()


@pytest.fixture
def cosign(tmp_path: Path) -> Cosign:
    return Cosign(tmp_path)
