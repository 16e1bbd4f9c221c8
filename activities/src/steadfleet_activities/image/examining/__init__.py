"""Try an image on a fresh machine, list what is on it, and judge that list."""
