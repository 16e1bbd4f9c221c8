"""Everything Temporal-shaped and domain-free."""

from steadfleet_durable.adapters import AdapterError, register
from steadfleet_durable.connection import (
    ConnectionConfigError,
    EngineError,
    EngineUnreachableError,
    NamespaceMissingError,
    NotAuthorizedError,
    connect,
    connection_config,
    data_converter,
    engine_runtime,
)
from steadfleet_durable.deployments import deployment_problem
from steadfleet_durable.encryption_known import payloads_are_encrypted
from steadfleet_durable.failures import words_of
from steadfleet_durable.heartbeat import Heartbeat, unbroken, unbroken_in
from steadfleet_durable.logs import configure_logs, get_logger
from steadfleet_durable.options import BRIEF, LONG, QUICK, SLOW, UNDO, Options, on_queue, within
from steadfleet_durable.saga import FailedCompensation, Saga
from steadfleet_durable.sandbox import workflow_runner
from steadfleet_durable.settings import WorkerConfigError, WorkerSettings
from steadfleet_durable.worker import CurrentClient, build_worker, exit_now, run_service, serve

__all__ = [
    "BRIEF",
    "LONG",
    "QUICK",
    "SLOW",
    "UNDO",
    "AdapterError",
    "ConnectionConfigError",
    "CurrentClient",
    "EngineError",
    "EngineUnreachableError",
    "FailedCompensation",
    "Heartbeat",
    "NamespaceMissingError",
    "NotAuthorizedError",
    "Options",
    "Saga",
    "WorkerConfigError",
    "WorkerSettings",
    "build_worker",
    "configure_logs",
    "connect",
    "connection_config",
    "data_converter",
    "deployment_problem",
    "engine_runtime",
    "exit_now",
    "get_logger",
    "on_queue",
    "payloads_are_encrypted",
    "register",
    "run_service",
    "serve",
    "unbroken",
    "unbroken_in",
    "within",
    "words_of",
    "workflow_runner",
]
