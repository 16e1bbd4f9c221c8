"""The endpoint: every AWS call passes here on its way to moto, and the record."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

from steadfleet_local_cloud import answers
from steadfleet_local_cloud.answers import SERVER, Answer
from steadfleet_local_cloud.calls import Call, Environ, resource_ids
from steadfleet_local_cloud.context import Context
from steadfleet_local_cloud.control import Control
from steadfleet_local_cloud.errors import PortTakenError
from steadfleet_local_cloud.faults import Fault, Kind

_log = logging.getLogger(__name__)
_LOOPBACK = "127.0.0.1"
_BACKLOG = 256
_METADATA = ("/latest/meta-data", "/latest/api/")  # moto would make something up


class Application:
    """The WSGI function: the control API, faults, the record, and moto under one lock."""

    def __init__(self, context: Context, control: Control) -> None:
        self._context = context
        self._control = control
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if _from_elsewhere(environ):
            answer = answers.json_answer(
                {"error": "this local cloud answers programs on its own machine only"}, 403
            )
        elif environ.get("PATH_INFO", "").startswith(_METADATA):
            answer = answers.json_answer(
                {"error": "no metadata service: a machine's user data is where USER_DATA_FILE says"}, 404
            )
        elif environ.get("PATH_INFO", "").startswith("/_local/"):
            answer = self._control.answer(environ)
        else:
            answer = self._call(environ)
        headers = [
            header for header in answer.headers if header[0].lower() not in {"server", "content-length"}
        ]
        start_response(answer.status_line, [*headers, ("Content-Length", _length(environ, answer))])
        return [answer.body]

    def _call(self, environ: Environ) -> Answer:
        call = Call.read(environ)
        faults = self._context.faults.strike_call(call)
        if not self._wait(faults, call, "before"):
            self._record(call, faults, None)
            return _cut(environ)
        answer = _struck(faults, call) or self._ask_moto(call, environ)
        self._record(call, faults, answer)
        heard = self._wait(faults, call, "after")
        lost = any(fault.kind is Kind.LOST for fault in faults)
        return _cut(environ) if lost or not heard else answer

    def _wait(self, faults: list[Fault], call: Call, when: str) -> bool:
        holds = [fault for fault in faults if fault.kind is Kind.HOLD and fault.when == when]
        return all(self._context.faults.hold(fault, call) == "continue" for fault in holds)

    def _ask_moto(self, call: Call, environ: Environ) -> Answer:
        try:
            with self._context.lock:
                body, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
                return Answer(int(status.split()[0]), b"".join(body), list(headers))
        except Exception as error:  # noqa: BLE001 - logged, recorded, and told to the caller
            _log.exception("a defect, or a call that moto does not know: %s %s", call.service, call.action)
            self._context.record.append(
                "error",
                service=call.service,
                region=call.region,
                action=call.action,
                error=f"{type(error).__name__}: {error}",
            )
            return answers.defect(call, error)

    def _record(self, call: Call, faults: list[Fault], answer: Answer | None) -> None:
        self._context.record.append(
            "call",
            service=call.service,
            region=call.region,
            action=call.action,
            mutating=call.mutating,
            parameters=call.parameters,
            resources=resource_ids(answer.body) if answer and call.mutating else [],
            status=answer.status if answer else None,
            error=answer.error_code if answer else None,
            faults=[f"{fault.id}:{fault.kind}" for fault in faults],
            user_agent=call.user_agent,
        )


class Server:
    """The listening socket and its threads."""

    def __init__(self, application: Application, port: int) -> None:
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self._server = make_server(
            _LOOPBACK,
            self.port,
            application,
            threaded=True,
            request_handler=_QuietHandler,
            fd=self._socket.fileno(),
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="server", kwargs={"poll_interval": 0.05}
        )
        self._thread.daemon = True

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._socket.close()


class _QuietHandler(MotoRequestHandler):
    def version_string(self) -> str:
        return SERVER

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def log(self, kind: str, message: str, *args: Any) -> None:
        _log.debug(f"{kind}: {message}", *args)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOOPBACK, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortTakenError(
            f"port {port} is taken by another program: stop it, or choose another with --port N"
        ) from error
    return listener


def _length(environ: Environ, answer: Answer) -> str:
    """Say how long the body is; or, asked for its head alone, how long it would be."""
    told = [value for name, value in answer.headers if name.lower() == "content-length"]
    return told[-1] if told and environ["REQUEST_METHOD"] == "HEAD" else str(len(answer.body))


def _from_elsewhere(environ: Environ) -> bool:
    """
    Whether a web page may be behind the request.

    Commands and images run as this user, and no credential is checked: so a page in a browser,
    which can reach loopback too, must never be listened to. Programs send no Origin.
    """
    host = environ.get("HTTP_HOST", "").rpartition(":")[0] or environ.get("HTTP_HOST", "")
    return "HTTP_ORIGIN" in environ or not (host in {_LOOPBACK, "localhost"} or host.endswith(".localhost"))


def _struck(faults: list[Fault], call: Call) -> Answer | None:
    for fault in faults:
        if fault.kind is Kind.THROTTLE:
            return answers.throttled(call)
        if fault.kind is Kind.ERROR:
            return answers.broken(call)
    return None


def _cut(environ: Environ) -> Answer:
    """Close the connection under the client: it cannot know whether its call took effect."""
    with suppress(OSError):
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return Answer(200)
