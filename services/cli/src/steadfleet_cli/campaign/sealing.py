"""Sign an approval with the approver's own key."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_signing.approval import Approval, SealedApproval, seal, statement_of

VALID = timedelta(minutes=10)
"""How long a proof counts: long enough to be sent, too short to be kept for another day."""

_FIX = "make one: `openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -out FILE`"


def proof_of(approval: Approval, key_file: Path) -> str:
    sealed = SealedApproval(approval=approval, expires=datetime.now(UTC) + VALID)
    return seal(statement_of(sealed), _key(key_file))


def _key(file: Path) -> ec.EllipticCurvePrivateKey:
    try:
        pem = file.read_bytes()
        password = (
            click.prompt("password of the key", hide_input=True, err=True) if b"ENCRYPTED" in pem else None
        )
        key = serialization.load_pem_private_key(pem, password.encode() if password else None)
    except OSError as error:
        raise CommandError(f"--key {file}: {error.strerror}", ExitCode.USAGE, _FIX) from error
    except (ValueError, TypeError) as error:
        raise CommandError(
            f"--key {file}: expected a private key in PEM, and its password if it has one",
            ExitCode.USAGE,
            _FIX,
        ) from error
    if not (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)):
        raise CommandError(f"--key {file}: expected an ECDSA P-256 key", ExitCode.USAGE, _FIX)
    return key
