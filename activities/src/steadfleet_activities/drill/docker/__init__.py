"""Drills in a Docker engine: one network a run, with no way out, and containers of fixed addresses in it."""
