"""Look ahead: what each look found is told, and what could not be looked at is told too."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from steadfleet_activities.drill.drivers import Inspected
from steadfleet_activities.fleet.errors import code_of
from steadfleet_core.drill.report import Finding
from steadfleet_core.errors import SteadfleetError

_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthFailure", "OptInRequired", "UnauthorizedOperation"}
)
_DRY = "DryRunOperation"
_GRANT = "grant it to the worker's role: docs/aws.md lists what a drill needs"


class Look:
    """Collects the findings about one subject; `step` is what they predict to fail."""

    def __init__(self, subject: str, step: str) -> None:
        self._subject = subject
        self._step = step
        self._findings: list[Finding] = []
        self._checked: list[str] = []

    def say(self, what: str, *, blocks: bool = False, advice: str = "", predicts: str = "") -> None:
        self._findings.append(
            Finding(what=what, blocks=blocks, predicts=predicts or self._step, advice=advice)
        )

    @contextmanager
    def asking(self, what: str, *, needed: bool = True) -> Iterator[None]:
        """Look at something. A look that was refused, or got no answer, is told: nobody knows then.

        It blocks where the drill itself needs the same answer.
        """
        self._checked.append(f"{self._subject}: {what}")
        try:
            yield
        except SteadfleetError as error:
            self.say(str(error), blocks=True)
        except ClientError as error:
            self._refused(what, error, blocks=needed)
        except (BotoCoreError, ResponseParserError) as error:
            self.say(f"{self._subject}: {what} could not be looked at: {error}", blocks=needed)

    def permitted(self, permission: str, dry_run: Callable[[], object]) -> None:
        """Ask whether a call would be allowed and well-formed; `dry_run` has `DryRun=True`."""
        with self.asking(permission):
            try:
                dry_run()
            except ClientError as error:
                if code_of(error) != _DRY:
                    raise

    def told(self) -> Inspected:
        return Inspected(tuple(self._findings), tuple(self._checked))

    def _refused(self, what: str, error: ClientError, *, blocks: bool) -> None:
        said = error.response.get("Error", {}).get("Message", "")
        told = f"{self._subject}: {what}: AWS answers {error.operation_name} with {code_of(error)}: {said}"
        self.say(told, blocks=blocks, advice=_GRANT if code_of(error) in _DENIED else "")
