"""Adapters: the only code that touches the world."""
