"""One pipeline, in two forms."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from fakes.logs import restored_logs
from steadfleet_durable import configure_logs, get_logger
from steadfleet_durable.logs import log_format


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    with restored_logs():
        yield


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("said", "stream", "form"),
    [
        ("", io.StringIO(), "json"),
        ("", Terminal(), "text"),
        ("auto", Terminal(), "text"),
        ("json", Terminal(), "json"),
        ("text", io.StringIO(), "text"),
    ],
)
def test_the_form_follows_the_variable_and_the_terminal(said: str, stream: io.StringIO, form: str) -> None:
    assert log_format({"STEADFLEET_LOG": said}, stream) == form


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="STEADFLEET_LOG=xml: expected json, text or auto"):
        configure_logs(env={"STEADFLEET_LOG": "xml"})


def test_structlog_and_stdlib_give_the_same_json() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream, env={"STEADFLEET_LOG": "json"})
    get_logger("ours").info("host drained", host="web-1")
    logging.getLogger("theirs").warning("slow: %s", "web-2")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert {**first, "timestamp": ""} == {
        "event": "host drained",
        "host": "web-1",
        "level": "info",
        "logger": "ours",
        "timestamp": "",
    }
    assert {**second, "timestamp": ""} == {
        "event": "slow: web-2",
        "level": "warning",
        "logger": "theirs",
        "timestamp": "",
    }


def test_bound_context_of_the_task_is_on_the_line() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream, env={"STEADFLEET_LOG": "json"})
    with structlog.contextvars.bound_contextvars(campaign="spring"):
        get_logger("ours").info("a")
    assert json.loads(stream.getvalue())["campaign"] == "spring"


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_is_told(form: str) -> None:
    stream = io.StringIO()
    configure_logs(stream=stream, env={"STEADFLEET_LOG": form})
    try:
        Path("/no/such/file").read_bytes()
    except OSError:
        get_logger("ours").exception("failed")
        logging.getLogger("theirs").exception("failed too")
    assert stream.getvalue().count("/no/such/file") >= 2
    if form == "json":
        assert all(json.loads(line)["exception"] for line in stream.getvalue().splitlines())


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_does_not_tell_the_values_of_variables(form: str) -> None:
    stream = io.StringIO()
    configure_logs(stream=stream, env={"STEADFLEET_LOG": form})
    secret = f"hunter{2}"
    try:
        raise ValueError("wrong") if secret else AssertionError
    except ValueError:
        get_logger("ours").exception("failed")
    assert "wrong" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_text_is_for_eyes() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream, env={"STEADFLEET_LOG": "text"})
    get_logger("ours").info("host drained", host="web-1")
    assert "host drained" in stream.getvalue()
    assert "host=web-1" in stream.getvalue()


def test_below_the_level_is_silent() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream, level=logging.WARNING, env={"STEADFLEET_LOG": "json"})
    get_logger("ours").info("quiet")
    assert stream.getvalue() == ""
