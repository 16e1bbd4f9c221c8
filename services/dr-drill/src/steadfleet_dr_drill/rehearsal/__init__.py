"""A production of its own on a local cloud, to rehearse drills with: made, harmed, and taken away."""
