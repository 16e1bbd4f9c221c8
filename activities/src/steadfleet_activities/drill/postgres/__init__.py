"""A PostgreSQL of one's own, recovered on the drill worker's host: a server of the run's, on loopback."""
