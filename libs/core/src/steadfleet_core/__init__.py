"""Pure rules: policies in, plans, verdicts and reports out.

Nothing here reads a clock, a file or the network, so all of it runs inside a workflow.
"""
