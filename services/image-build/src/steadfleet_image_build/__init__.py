"""The worker that builds golden images."""
