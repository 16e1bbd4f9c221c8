"""What makes signatures. Only the signer service imports this: whoever only verifies never can sign.

>>> signer = signer_for("dev", LocalKeySigner.from_pem(Path("dev.pem").read_bytes()))
>>> bundle = signer.sign(statement.canonical())
"""

from steadfleet_core.errors import RefusedError
from steadfleet_signing.signers.key import KeySigner, LocalKeySigner
from steadfleet_signing.signers.keyless import KeylessSigner
from steadfleet_signing.signers.kms import KmsClient, KmsSigner
from steadfleet_signing.signers.signer import Signer
from steadfleet_signing.signers.witness import TimestampWitness

__all__ = [
    "KeySigner",
    "KeylessSigner",
    "KmsClient",
    "KmsSigner",
    "LocalKeySigner",
    "Signer",
    "TimestampWitness",
    "signer_for",
]

_DEVELOPMENT = frozenset({"dev", "staging"})


def signer_for(environment: str, signer: Signer) -> Signer:
    """Return the signer, if the environment may sign with it; an unknown one is held to prod's rule."""
    if signer.development_only and environment not in _DEVELOPMENT:
        raise RefusedError(
            f"{type(signer).__name__} holds its key in a file, which {environment!r} refuses: "
            "expected a KMS key or keyless signing"
        )
    return signer
