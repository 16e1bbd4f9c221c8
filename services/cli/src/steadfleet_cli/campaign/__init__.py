"""The campaign commands: plan, start, watch, steer and report."""
