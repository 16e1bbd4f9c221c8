"""The worker that rehearses disaster recovery."""
