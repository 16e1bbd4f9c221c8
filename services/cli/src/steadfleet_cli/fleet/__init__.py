"""The fleet commands: see the hosts, freeze, unfreeze, stop the line."""
