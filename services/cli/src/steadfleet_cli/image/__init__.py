"""The image commands: build, see, verify and promote golden images."""
