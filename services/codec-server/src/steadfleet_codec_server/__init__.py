"""A codec server: decrypts payloads for people who may read them."""
