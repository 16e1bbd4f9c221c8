"""Signing without a key of ours: a Sigstore instance certifies a key of the moment for an identity."""

import json
from collections.abc import Callable

from steadfleet_signing.bundle import Bundle
from steadfleet_signing.errors import (
    SelfCheckError,
    SigningError,
    SigningServiceError,
    UntrustedIdentityError,
)
from steadfleet_signing.signers.signer import Signer
from steadfleet_signing.statement import Statement
from steadfleet_signing.trust import OidcIdentity, TrustedIdentity

MOST_SHOWN = 500


class KeylessSigner(Signer):
    """Signs as whom an identity token names.

    `trust_config` is the text of a Sigstore client trust config; its services are asked without a
    timeout, so give the caller one. `token` returns a fresh token whose audience is `sigstore`.
    `identity` is whom the certificate will name, needed where the instance derives it from other
    claims than the token's subject.
    """

    def __init__(
        self, trust_config: str, token: Callable[[], str], identity: OidcIdentity | None = None
    ) -> None:
        try:
            self.trusted_root = json.dumps(json.loads(trust_config)["trustedRoot"]).encode()
        except (ValueError, KeyError, TypeError) as error:
            raise SigningError(
                "the trust config: expected the JSON of a Sigstore ClientTrustConfig"
            ) from error
        self._trust_config, self._token, self._identity = trust_config, token, identity

    @property
    def identity(self) -> OidcIdentity:
        return self._identity or self._identity_of(self._token())

    def sign(self, statement: bytes) -> bytes:
        Statement.parse(statement)
        token = self._token()
        signed = self._sign(statement, token)
        self._check(signed, self._identity or self._identity_of(token))
        return signed

    def _sign(self, statement: bytes, token: str) -> bytes:
        # Imported here: Sigstore's client is large, and most signers hold a key.
        from sigstore.dsse import Statement as SigstoreStatement  # noqa: PLC0415
        from sigstore.errors import Error as SigstoreError  # noqa: PLC0415
        from sigstore.models import ClientTrustConfig, InvalidBundle  # noqa: PLC0415
        from sigstore.oidc import IdentityToken  # noqa: PLC0415
        from sigstore.sign import SigningContext  # noqa: PLC0415

        try:
            message = SigstoreStatement(statement)
            context = SigningContext.from_trust_config(ClientTrustConfig.from_json(self._trust_config))
        except (SigstoreError, ValueError) as error:
            raise SigningError(f"Sigstore's client signs no such statement, or not so: {error}") from error
        try:
            with context.signer(IdentityToken(token)) as signer:
                return signer.sign_dsse(message).to_json().encode()
        except InvalidBundle as error:
            # A timestamp authority that is down only makes Sigstore's client warn, and log the entry anyway.
            raise SigningServiceError(
                f"no bundle came of it, though the log has an entry now, which harms nothing: {error}; "
                "does the timestamp authority answer? Then sign again"
            ) from error
        except Exception as error:  # the client raises its own, its libraries' and the network's
            raise SigningServiceError(f"keyless signing failed: {_explain(error)}") from error

    def _check(self, signed: bytes, identity: OidcIdentity) -> None:
        from steadfleet_signing.keyless import verify_certificate  # noqa: PLC0415  # loads Sigstore's client

        entry = TrustedIdentity(issuer=identity.issuer, subject=identity.subject)
        try:
            verify_certificate(Bundle.parse(signed), self.trusted_root, (entry,))
        except UntrustedIdentityError as error:
            raise SelfCheckError(f"the signature just made is not by {identity}: {error}") from error

    @staticmethod
    def _identity_of(token: str) -> OidcIdentity:
        from sigstore.oidc import IdentityError, IdentityToken  # noqa: PLC0415  # loads Sigstore's client

        try:
            read = IdentityToken(token)
        except IdentityError as error:
            raise SigningServiceError(f"the identity token cannot be used: {error}") from error
        return OidcIdentity(issuer=read.federated_issuer, subject=read.identity)


def _explain(error: BaseException) -> str:
    """Say what happened, with what the services answered: Fulcio's client leaves that out."""
    texts = [str(error) or type(error).__name__]
    cause: BaseException | None = error
    while cause is not None:
        answer = getattr(cause, "response", None)
        if answer is not None:
            texts.append(f"{answer.url} answered {answer.status_code}: {answer.text[:MOST_SHOWN]}")
        cause = cause.__cause__ or cause.__context__
    return "; ".join(texts)
