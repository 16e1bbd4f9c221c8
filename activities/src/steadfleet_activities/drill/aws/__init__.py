"""Drills in AWS: RDS, Auto Scaling groups, and a network of the run's own."""
