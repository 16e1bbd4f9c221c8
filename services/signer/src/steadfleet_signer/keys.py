"""`steadfleet-signer key`: make a key for development, and show whom a trust policy has to trust."""

import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from steadfleet_durable import WorkerConfigError
from steadfleet_signer.pens import pen_of
from steadfleet_signer.settings import PenSettings
from steadfleet_signing import publickey
from steadfleet_signing.trust import TrustedIdentity, TrustedKey


def make(path: Path) -> None:
    """Write a new private key, for its owner alone, and print its public key."""
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise WorkerConfigError(
            f"{path} exists: what it signed could be verified no more; name a new file"
        ) from None
    except OSError as error:
        raise WorkerConfigError(f"{path}: {error.strerror}; expected a place for a new file") from error
    with os.fdopen(handle, "wb") as file:
        file.write(private)
    sys.stdout.write(publickey.to_pem(key.public_key()))


def show() -> None:
    """Print the public key that the settings name, and what a trust policy says of it."""
    entry = pen_of(PenSettings.from_env()).entry
    if isinstance(entry, TrustedKey):
        sys.stdout.write(entry.pem + "\n")
    sys.stdout.write(_entry(entry))


def _entry(entry: TrustedKey | TrustedIdentity) -> str:
    builders = f"[{', '.join(entry.builders)}]"
    if isinstance(entry, TrustedIdentity):
        lines = [f"  - issuer: {entry.issuer}", f"    subject: {entry.subject}"]
    else:
        pem = [f"      {line}" for line in entry.pem.splitlines()]
        lines = [f"  - name: {entry.name}", "    pem: |", *pem]
    kind = "identities" if isinstance(entry, TrustedIdentity) else "keys"
    said = ["# Below spec of a TrustPolicy:", f"builders: {builders}", f"{kind}:", *lines]
    return "\n".join([*said, f"    builders: {builders}"]) + "\n"
