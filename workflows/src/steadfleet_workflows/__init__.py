"""One workflow a file: they decide, activities act.

`campaign` → `wave` → `shard` change a fleet; `fleet` reserves it; `preview` and `inspection` look.
"""
