"""Look after a self-hosted engine: back it up, and bring it back."""
