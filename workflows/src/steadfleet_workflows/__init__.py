"""One workflow a file: they decide, activities act."""
