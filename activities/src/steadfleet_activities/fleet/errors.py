"""Turn what AWS says into errors of ours, at the edge."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.parsers import ResponseParserError
from temporalio.exceptions import ApplicationError

from steadfleet_core.errors import SteadfleetError

# What AWS answers the same however often it is asked, until a person changes something. All else
# may get better: capacity comes back, limits are freed by hosts that end, credentials are renewed.
_PERMANENT = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "InvalidAMIAttributeItemValue",
        "InvalidAMIID.Malformed",
        "InvalidAMIID.NotFound",
        "InvalidAMIID.Unavailable",
        "InvalidClientTokenId",
        "InvalidLaunchTemplateId.Malformed",
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateId.VersionNotFound",
        "InvalidParameterCombination",
        "InvalidParameterValue",
        "InvalidSubnetID.NotFound",
        "OperationNotPermitted",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "Unsupported",
    }
)


UNCLEAR = (ClientError, BotoCoreError, ResponseParserError)
"""What a call may raise although it took effect: its answer was lost, late or garbled."""


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def is_permanent(error: Exception) -> bool:
    return isinstance(error, ClientError) and code_of(error) in _PERMANENT


def is_mismatch(error: Exception) -> bool:
    return isinstance(error, ClientError) and code_of(error) == "IdempotentParameterMismatch"


@contextmanager
def at_the_edge(doing: str) -> Iterator[None]:
    """Let nothing of AWS's or of the rules' own errors leave an activity: say what was being done."""
    try:
        yield
    except SteadfleetError as error:
        raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
    except ClientError as error:
        said = error.response.get("Error", {}).get("Message", "")
        raise ApplicationError(
            f"{doing}: AWS answered {error.operation_name} with {code_of(error)}: {said}",
            type=code_of(error),
            non_retryable=is_permanent(error),
        ) from error
    except ParamValidationError as error:
        raise ApplicationError(f"{doing}: {error}", type="ParamValidation", non_retryable=True) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise ApplicationError(f"{doing}: no answer from AWS: {error}", type=type(error).__name__) from error
