"""Verify bundles that carry a Fulcio certificate, with Sigstore's own client, offline.

Imported only where a policy trusts identities: it loads Sigstore's client.
"""

from datetime import UTC, datetime

from cryptography.x509 import Certificate
from sigstore.errors import VerificationError as SigstoreVerificationError
from sigstore.models import Bundle as SigstoreBundle
from sigstore.models import TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity as ExactIdentity
from sigstore_models.trustroot.v1 import TrustedRoot as TrustedRootMessage

from steadfleet_signing.bundle import Bundle
from steadfleet_signing.errors import UntrustedIdentityError
from steadfleet_signing.trust import OidcIdentity, TrustedIdentity


class _OneOf:
    """Accept a certificate of exactly one of the policy's identities, and remember which."""

    def __init__(self, identities: tuple[TrustedIdentity, ...]) -> None:
        self._identities = identities
        self.found: OidcIdentity | None = None

    def verify(self, cert: Certificate) -> None:
        refusals = []
        for entry in self._identities:
            try:
                ExactIdentity(identity=entry.subject, issuer=entry.issuer).verify(cert)
            except SigstoreVerificationError as error:
                refusals.append(str(error))
                continue
            self.found = entry.identity
            return
        raise SigstoreVerificationError("; ".join(refusals))


def verify_certificate(
    read: Bundle, trusted_root: bytes, identities: tuple[TrustedIdentity, ...]
) -> tuple[OidcIdentity, tuple[datetime, ...]]:
    """Return which of the identities signed, and when the log promised to have seen it, if it did.

    Raises:
        UntrustedIdentityError: none did, or nothing proves it.
    """
    identity = _OneOf(identities)
    try:
        # Written anew: so what Sigstore verifies is what we have read, not what it would read.
        bundle = SigstoreBundle.from_json(read.to_json())
        root = TrustedRoot(TrustedRootMessage.from_json(trusted_root))
        Verifier(trusted_root=root).verify_dsse(bundle, identity)
    except Exception as error:  # the bundle is a stranger's: its parsers raise what they like
        why = str(error) or type(error).__name__
        raise UntrustedIdentityError(f"its certificate proves nothing: {why}") from error
    if identity.found is None:
        raise UntrustedIdentityError("its certificate was not compared with the policy's identities")
    entry = bundle.log_entry._inner  # noqa: SLF001  # it has no public name
    promised = entry.integrated_time if entry.inclusion_promise else None
    return identity.found, (datetime.fromtimestamp(promised, UTC),) if promised else ()
