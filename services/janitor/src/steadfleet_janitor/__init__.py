"""The worker that takes away what a run left behind."""
