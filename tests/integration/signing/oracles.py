"""Other people's verifiers, asked about one bundle each: what they think of it is not ours to say."""

import json
import os
import re
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from integration.signing.tools import installed
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer._key import SSlibKey

_MISUNDERSTOOD = re.compile("unknown (flag|command)|only supported with|no such file")
_JUDGE = Path(__file__).with_name("sigstore_js") / "verify.cjs"


@dataclass(frozen=True)
class ByKey:
    """Believe this public key (PEM), and where a root is given, demand a timestamp of its authority."""

    pem: str
    trusted_root: dict[str, Any] | None = None


@dataclass(frozen=True)
class ByIdentity:
    """Believe this subject of this issuer, as certified below this root."""

    subject: str
    issuer: str
    trusted_root: dict[str, Any]


@dataclass(frozen=True)
class Question:
    bundle: bytes
    digest: str
    """Of the artifact, in hexadecimal: the bundle must speak of it."""
    predicate_type: str
    trust: ByKey | ByIdentity


@dataclass(frozen=True)
class Judgement:
    accepted: bool
    said: str

    def __bool__(self) -> bool:
        return self.accepted


class Oracle(ABC):
    """A verifier of another make."""

    @abstractmethod
    def judge(self, question: Question) -> Judgement: ...


class Cosign(Oracle):
    """`cosign verify-blob-attestation`; it alone reads the statement: which artifact, and what is said."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _program(self) -> Path:
        return installed("cosign")

    def judge(self, question: Question) -> Judgement:
        bundle = self._written("bundle.json", question.bundle)
        asked = ["--bundle", bundle, "--type", question.predicate_type]
        asked += ["--digest", question.digest, "--digestAlg", "sha256", *self._trust(question.trust)]
        answer = self.run("verify-blob-attestation", *asked)
        # Its status is 1 as well for arguments or files that it does not understand.
        assert not _MISUNDERSTOOD.search(answer.stderr), answer.stderr
        return Judgement(answer.returncode == 0, answer.stderr)

    def _trust(self, trust: ByKey | ByIdentity) -> list[str]:
        if isinstance(trust, ByKey):
            asked = ["--key", self._written("key.pem", trust.pem.encode()), "--insecure-ignore-tlog"]
        else:
            asked = ["--certificate-identity", trust.subject, "--certificate-oidc-issuer", trust.issuer]
        if trust.trusted_root is None:
            return asked
        root = self._written("trusted_root.json", json.dumps(trust.trusted_root).encode())
        return [*asked, "--trusted-root", root, "--use-signed-timestamps"]

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run it with a home of its own: it must know nothing but what it is told."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "COSIGN_PASSWORD": ""}
        return subprocess.run(
            [self._program, *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=environment,
            cwd=self._folder,
        )

    def _written(self, name: str, content: bytes) -> str:
        path = self._folder / name
        path.write_bytes(content)
        return str(path)


class SigstoreJs(Oracle):
    """`@sigstore/verify`, which npm and GitHub's tools verify with."""

    _REFUSED = 3

    def judge(self, question: Question) -> Judgement:
        trust = question.trust
        asked = {"bundle": question.bundle.decode(), "trustedRoot": trust.trusted_root}
        if isinstance(trust, ByKey):
            asked["publicKey"] = trust.pem
        else:
            asked |= {"subject": trust.subject, "issuer": trust.issuer}
        answer = subprocess.run(
            ["node", _JUDGE],
            check=False,
            capture_output=True,
            text=True,
            input=json.dumps(asked),
            env=os.environ | {"NODE_PATH": str(installed("node_modules"))},
        )
        assert answer.returncode in {0, self._REFUSED}, answer.stderr
        return Judgement(answer.returncode == 0, answer.stdout)


class SecureSystemsLib(Oracle):
    """The envelope alone, by the library of TUF and in-toto; it knows no bundles and no identities."""

    def judge(self, question: Question) -> Judgement:
        assert isinstance(question.trust, ByKey)
        key = SSlibKey.from_crypto(load_pem_public_key(question.trust.pem.encode()))
        envelope = json.loads(question.bundle)["dsseEnvelope"]
        for signature in envelope["signatures"]:
            signature["keyid"] = key.keyid
        try:
            Envelope.from_dict(envelope).verify([key], 1)
        except VerificationError as error:
            return Judgement(accepted=False, said=str(error))
        return Judgement(accepted=True, said="")
