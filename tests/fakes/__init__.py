"""Hand-written stand-ins for the ports: they record what was done to them."""
