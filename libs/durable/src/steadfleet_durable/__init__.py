"""Everything Temporal-shaped and domain-free."""
