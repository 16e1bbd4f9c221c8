"""Fleets: how hosts are replaced, restored and probed on each platform."""
