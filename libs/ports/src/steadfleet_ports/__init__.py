"""What a workflow may ask of the world: one activity interface a domain word."""
