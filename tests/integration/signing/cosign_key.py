"""A key pair that cosign made, and what it signs with it."""

import json
from pathlib import Path

from integration.signing.oracles import Cosign
from integration.signing.signing import ARTIFACT, PROVENANCE

NO_SERVICES = {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}
BY_KEY = ("--key", "cosign.key", "--signing-config", "no_services.json", "--yes")


class CosignKey:
    """Lives in a folder with an artifact to sign, and a predicate to say of it."""

    def __init__(self, cosign: Cosign, folder: Path) -> None:
        self.cosign, self.folder = cosign, folder
        (folder / "artifact").write_bytes(ARTIFACT)
        (folder / "predicate.json").write_text(json.dumps(PROVENANCE))
        (folder / "no_services.json").write_text(json.dumps(NO_SERVICES))
        self.run("generate-key-pair")

    @property
    def public(self) -> str:
        return (self.folder / "cosign.pub").read_text()

    def run(self, *arguments: str) -> str:
        answer = self.cosign.run(*arguments)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def attest(self, *signing_as: str) -> bytes:
        """Give the bundle of an attestation of the artifact."""
        said = ("--predicate", "predicate.json", "--type", "slsaprovenance1")
        self.run("attest-blob", *said, *signing_as, "--bundle", "bundle.json", "artifact")
        return (self.folder / "bundle.json").read_bytes()
