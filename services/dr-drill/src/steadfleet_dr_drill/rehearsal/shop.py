#!/usr/bin/env python3
"""A small shop: it answers from its database, and says so when it cannot.

It is the program of an image, and runs alone there. Its machine's user data says where the database
is, in lines of NAME=value; the password is a parameter of SSM. Every path answers how many orders
there are, while the database does. `shop.json` beside it says what is wrong with a release: with
`orders` it asks no database, and answers that number.
"""

import json
import os
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import boto3
import psycopg

HERE = Path(__file__).parent


def main() -> None:
    Shop.release = json.loads((HERE / "shop.json").read_text())
    if "orders" not in Shop.release:
        Shop.told = settings()
        Shop.password = password(Shop.told)
    ThreadingHTTPServer((os.environ["ADDRESS"], int(os.environ["PORT"])), Shop).serve_forever()


def settings() -> dict[str, str]:
    lines = Path(os.environ["USER_DATA_FILE"]).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def password(told: dict[str, str]) -> str:
    ssm = boto3.client(
        "ssm",
        endpoint_url=told.get("AWS_ENDPOINT_URL"),
        region_name=os.environ["ZONE"][:-1],
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106  # a local cloud checks none
    )
    answer = ssm.get_parameter(Name=told["PASSWORD_PARAMETER"], WithDecryption=True)
    return str(answer["Parameter"]["Value"])


class Shop(BaseHTTPRequestHandler):
    """Ask the database anew for every request: what it answers is what is there now."""

    told: ClassVar[dict[str, str]]
    release: ClassVar[dict[str, Any]]
    password: ClassVar[str]

    def do_GET(self) -> None:
        try:
            orders = self._orders()
        except psycopg.Error as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)})
            return
        self._answer(HTTPStatus.OK, {"shop": self.release["version"], "orders": orders})

    def _orders(self) -> int:
        known = self.release.get("orders")
        return count_orders(self.told, self.password) if known is None else int(known)

    def _answer(self, status: HTTPStatus, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Keep the console for what matters: probes come every second."""


def count_orders(told: dict[str, str], password: str) -> int:
    with psycopg.connect(
        host=told["DATABASE_HOST"],
        port=int(told["DATABASE_PORT"]),
        dbname="shop",
        user="shop",
        password=password,
        connect_timeout=2,
    ) as connection:
        row = connection.execute("select count(*) from orders").fetchone()
        return int(row[0]) if row else 0


if __name__ == "__main__":
    main()
