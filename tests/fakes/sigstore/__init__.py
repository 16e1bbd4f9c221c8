"""A private Sigstore on loopback: issuer, certificate authority, transparency log, timestamps.

with LocalSigstore.running() as sigstore:
    token = sigstore.token("https://ci.example/build.yml")
    trust = sigstore.trust_config
"""

from fakes.sigstore.instance import LocalSigstore, Service

__all__ = ["LocalSigstore", "Service"]
