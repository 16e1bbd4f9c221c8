"""What can be wrong before anything is touched.

SteadfleetError
├── ContractError       a file that a person wrote does not say what it must
└── RefusedError        the order is well written, but must not be carried out
    └── NotBuiltError   it asks for something that this release cannot do
"""


class SteadfleetError(Exception):
    """An error for a person: its text says what was wrong, where, what was expected and what to do."""


class ContractError(SteadfleetError):
    """A file that does not satisfy its contract; `problems` has one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class RefusedError(SteadfleetError):
    """An order that was understood and is not carried out."""


class NotBuiltError(RefusedError):
    """A demand that this release cannot meet, and so refuses rather than ignores."""
