"""The worker that runs patch campaigns."""
