"""An AWS for one machine, with a real machine behind every instance."""
