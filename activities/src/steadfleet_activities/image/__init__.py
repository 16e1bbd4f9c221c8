"""Images: how they are built, tried, signed and brought to their places on each platform."""
