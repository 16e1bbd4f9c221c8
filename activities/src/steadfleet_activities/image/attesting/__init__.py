"""Measure images, keep what was signed of them beside them, and verify it."""
