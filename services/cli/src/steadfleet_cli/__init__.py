"""The steadfleet and campaign commands: parse, call, print."""
