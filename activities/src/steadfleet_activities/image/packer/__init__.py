"""Run packer as a process that leaves nothing behind: its templates, its command line, its output.

Plain Python, without Temporal: what an activity does with it is the adapter's part.
"""
