"""Pure rules: policies in, plans, verdicts and reports out."""
