"""Drills: what recovers stores and services, and looks whether they are."""
