"""The drill commands: plan, rehearse, see and schedule the recovery from disaster."""
