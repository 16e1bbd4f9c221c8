"""A key, a private Sigstore, and cosign in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.signing.cosign_key import CosignKey
from integration.signing.oracles import Cosign, Oracle, SecureSystemsLib, SigstoreJs
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


@pytest.fixture
def key(cosign: Cosign, tmp_path: Path) -> CosignKey:
    return CosignKey(cosign, tmp_path)


@pytest.fixture(params=[Cosign, SigstoreJs])
def bundle_oracle(request: pytest.FixtureRequest, tmp_path: Path) -> Oracle:
    """Give each verifier that reads whole bundles."""
    return _made(request, tmp_path)


@pytest.fixture(params=[Cosign, SigstoreJs, SecureSystemsLib])
def oracle(request: pytest.FixtureRequest, tmp_path: Path) -> Oracle:
    """Give each verifier."""
    return _made(request, tmp_path)


def _made(request: pytest.FixtureRequest, folder: Path) -> Oracle:
    made: Oracle = request.param(folder) if request.param is Cosign else request.param()
    return made
