"""What can be wrong with a statement, a bundle, or the making of one.

SteadfleetError
└── SigningError
    ├── StatementError               no in-toto statement, or one beyond what verifiers read
    ├── SelfCheckError               a signature just made does not verify: it is thrown away
    ├── SigningServiceError          Fulcio, Rekor or the timestamp authority did not answer well: try again
    └── VerificationError            a bundle that proves nothing, and why
        ├── MalformedBundleError     no bundle that we read: damaged, too large, of another version
        ├── WrongPayloadTypeError    signs something that is no in-toto statement
        ├── WrongModeError           a certificate where the policy trusts keys only, or the reverse
        ├── UntrustedKeyError        by a key that the policy does not name
        ├── UntrustedIdentityError   by a certificate that the trusted root or the policy does not accept
        ├── BadSignatureError        says it is by a trusted key, but its content is not what was signed
        ├── ExpiredKeyError          made outside of the time in which its key is trusted
        ├── FutureTimestampError     an authority dates it later than now
        └── MalformedStatementError  rightly signed, but what was signed is no statement
"""

from steadfleet_core.errors import SteadfleetError

MOST_SHOWN = 1000


def one_line(text: str) -> str:
    """Keep what a stranger wrote from breaking a line of a log, reaching a terminal or filling either."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text[:MOST_SHOWN])
    return plain if len(text) <= MOST_SHOWN else f"{plain}…"


class SigningError(SteadfleetError):
    """Anything that keeps an artifact from being signed, or a signature from being believed."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class StatementError(SigningError):
    """A statement that could not be written, or read back."""


class SelfCheckError(SigningError):
    """A signature that its own public key refuses: the signing device computes something else."""


class SigningServiceError(SigningError):
    """A service that signing needs failed; signing again is safe."""


class VerificationError(SigningError):
    """A bundle that proves nothing. It is recorded, and counts as if it were not there."""


class MalformedBundleError(VerificationError):
    """No bundle that we read."""


class WrongPayloadTypeError(VerificationError):
    """A signature over something other than an in-toto statement."""


class WrongModeError(VerificationError):
    """A bundle of a kind that the policy does not trust, whoever signed it."""


class UntrustedKeyError(VerificationError):
    """A signature by none of the policy's keys."""


class UntrustedIdentityError(VerificationError):
    """A certificate that the trusted root does not vouch for, or that names a stranger."""


class BadSignatureError(VerificationError):
    """A signature that claims one of the policy's keys, and does not fit."""


class ExpiredKeyError(VerificationError):
    """A signature made, or not provably made, within its key's validity."""


class FutureTimestampError(VerificationError):
    """A timestamp later than now: the authority's clock or ours is wrong."""


class MalformedStatementError(VerificationError):
    """Signed bytes that are no statement."""
