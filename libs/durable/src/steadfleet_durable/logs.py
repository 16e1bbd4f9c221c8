"""One pipeline for structlog and stdlib logging, which knows workflows and does not repeat on replay."""

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.stdlib import BoundLogger
from structlog.typing import EventDict, Processor
from temporalio import activity, workflow

LogFormat = Literal["json", "text"]

# Without the values of local variables: credentials may be among them.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def get_logger(name: str) -> BoundLogger:
    """
    Return a logger for workflows, activities and everything else.

    Each line carries the workflow and activity it was said in, and what is bound (`.bind(host=…)`).
    """
    return cast(
        "BoundLogger",
        structlog.wrap_logger(logging.getLogger(name), processors=_processors(), wrapper_class=BoundLogger),
    )


def configure_logs(
    *, stream: TextIO | None = None, level: int = logging.INFO, env: Mapping[str, str] | None = None
) -> None:
    """Send all logs to stderr: JSON lines in services, for eyes on a terminal (`STEADFLEET_LOG`)."""
    stream = stream or sys.stderr
    structlog.configure(
        processors=_processors(),
        wrapper_class=BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.addFilter(lambda _record: not _is_repeated())  # what libraries log from a workflow
    handler.setFormatter(_formatter(log_format(env, stream), stream))
    root = logging.getLogger()
    root.handlers = [handler]
    # The same facts are on each line already, as fields.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False
    root.setLevel(level)


def log_format(env: Mapping[str, str] | None = None, stream: TextIO | None = None) -> LogFormat:
    """Return what `STEADFLEET_LOG` (json, text, auto) comes to: auto is text on a terminal only."""
    said = (os.environ if env is None else env).get("STEADFLEET_LOG") or "auto"
    if said not in {"json", "text", "auto"}:
        raise ValueError(f"STEADFLEET_LOG={said}: expected json, text or auto")
    if said == "auto":
        return "text" if (stream or sys.stderr).isatty() else "json"
    return cast("LogFormat", said)


def _formatter(form: LogFormat, stream: TextIO) -> logging.Formatter:
    render: list[Processor] = (
        [_TRACEBACKS, structlog.processors.JSONRenderer()]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
    )


def _processors() -> list[Processor]:
    return [
        structlog.stdlib.filter_by_level,
        _drop_repeated,
        *_shared(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ]


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_where,
    ]


def _drop_repeated(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Drop what a workflow already said: a replay runs the same lines again."""
    if _is_repeated():
        raise structlog.DropEvent
    return event


def _is_repeated() -> bool:
    return workflow.in_workflow() and workflow.unsafe.is_replaying_history_events()


def _add_where(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Add which workflow or activity speaks; what the caller named itself stays."""
    return {**_where(), **event}


def _where() -> dict[str, Any]:
    if workflow.in_workflow():
        info = workflow.info()
        return {"workflow_id": info.workflow_id, "run_id": info.run_id, "attempt": info.attempt}
    if activity.in_activity():
        act = activity.info()
        return {
            "workflow_id": act.workflow_id,
            "run_id": act.workflow_run_id,
            "activity": act.activity_type,
            "attempt": act.attempt,
        }
    return {}
