"""The local stack's own signing key, and the policy that trusts it: for rehearsals, never production."""

from pathlib import Path

BUILDER = "https://steadfleet.dev/builders/local"


def trust_settings(folder: Path, part: str) -> dict[str, str]:
    """Return what tells a worker whom to trust; the signer alone is told where the key is."""
    settings = {"STEADFLEET_ENVIRONMENT": "dev", "STEADFLEET_TRUST_POLICY": str(policy_file(folder))}
    if part == "signer":
        return {
            "STEADFLEET_ENVIRONMENT": "dev",
            "STEADFLEET_SIGNING_KEY_FILE": str(key_file(folder)),
            "STEADFLEET_BUILDER_ID": BUILDER,
        }
    return {} if part == "janitor" else settings


def key_file(folder: Path) -> Path:
    return folder / "signing.key"


def policy_file(folder: Path) -> Path:
    return folder / "trust.yaml"


def make_trust(folder: Path) -> None:
    """Make a key and a policy that trusts it, if there are none: a stack that was stopped keeps its own."""
    if key_file(folder).exists() and policy_file(folder).exists():
        return
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # slow to load
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private = key.private_bytes(pem, form, serialization.NoEncryption())
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    key_file(folder).touch(0o600)
    key_file(folder).write_bytes(private)
    policy_file(folder).write_text(
        _POLICY.format(builder=BUILDER, pem=public.decode().replace("\n", "\n        "))
    )


_POLICY = """\
# Made by `steadfleet up`: whose signatures count on this machine.
apiVersion: steadfleet.dev/v1
kind: TrustPolicy
metadata: {{name: local}}
spec:
  environment: dev
  builders: [{builder}]
  keys:
    - name: local
      builders: [{builder}]
      pem: |
        {pem}
"""
