"""The commands about workers: their versions, what waits for one, and the change to a new one."""
