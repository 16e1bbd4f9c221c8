"""Golden images: what a person orders, what is built from it, and when it may be used."""
