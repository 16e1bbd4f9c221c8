"""Statements, bundles, signers, and verification that needs no network."""
