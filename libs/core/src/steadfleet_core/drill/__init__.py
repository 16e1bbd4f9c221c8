"""Rehearsing disaster recovery: the plan, the steps, the clock, the loss, the verdicts."""
