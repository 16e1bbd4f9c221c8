"""The patch campaign: what a person orders, what it resolves to, and how it is judged."""
