"""The janitor's adapters: what a run left is found, taken away and put back."""
