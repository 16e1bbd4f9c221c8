"""The worker that holds the signing key, and signs only what it measured itself."""
