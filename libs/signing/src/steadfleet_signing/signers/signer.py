"""The interface that every signer has."""

from abc import ABC, abstractmethod
from typing import ClassVar

from steadfleet_signing.trust import Identity


class Signer(ABC):
    """Signs statements; holds, or can ask for, the means to."""

    development_only: ClassVar[bool] = False
    """Whether its key lies where production's must not."""

    @property
    @abstractmethod
    def identity(self) -> Identity:
        """Whom a verifier must trust to accept what it signs."""

    @abstractmethod
    def sign(self, statement: bytes) -> bytes:
        """Return a Sigstore bundle over the statement's bytes, verified against its own identity.

        Blocking: run it in a thread, under a timeout. Signing twice is safe.

        Raises:
            StatementError: these bytes are no statement.
            SelfCheckError: what was signed does not verify.
            SigningServiceError: a service did not answer well.
        """
