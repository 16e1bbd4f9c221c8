"""`steadfleet preview …`: a change's own place to be tried in, torn down with it."""
