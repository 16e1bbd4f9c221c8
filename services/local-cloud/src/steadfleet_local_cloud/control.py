"""The local cloud's own API, under /_local/ on the same port: JSON in, JSON out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from moto.ec2.models import ec2_backends

from steadfleet_local_cloud.answers import Answer, json_answer
from steadfleet_local_cloud.calls import Environ
from steadfleet_local_cloud.context import ACCOUNT, Context
from steadfleet_local_cloud.ec2 import register_image
from steadfleet_local_cloud.errors import LocalCloudError
from steadfleet_local_cloud.faults import Fault, Kind
from steadfleet_local_cloud.inventory import Inventories, Inventory

_log = logging.getLogger(__name__)
_Route = Callable[..., Answer]


class Control:
    """Health, machines, inventory, record, faults and images; also for use in-process."""

    def __init__(self, context: Context, inventories: Inventories, resolver: tuple[str, int]) -> None:
        self._context = context
        self._inventories = inventories
        self._resolver = "{}:{}".format(*resolver)
        self._routes: dict[tuple[str, str], _Route] = {
            ("GET", "health"): self._health,
            ("GET", "machines"): lambda **_: json_answer(self.machines()),
            ("GET", "inventory"): lambda **_: json_answer(self.inventory()),
            ("GET", "record"): self._record,
            ("GET", "faults"): lambda **_: json_answer(self._context.faults.all()),
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("GET", "faults/*"): lambda name, **_: json_answer(self._context.faults.get(name).describe()),
            ("DELETE", "faults/*"): self._clear_faults,
            ("POST", "faults/*/release"): self._release,
            ("POST", "images"): self._register_image,
            ("POST", "images/*/tamper"): lambda name, **_: json_answer({"byte": self.tamper_image(name)}),
        }

    def answer(self, environ: Environ) -> Answer:
        """Answer one request; what makes no sense is refused with a sentence."""
        parts = environ["PATH_INFO"].removeprefix("/_local/").rstrip("/").split("/")
        pattern = "/".join("*" if position == 1 else part for position, part in enumerate(parts))
        route = self._routes.get((environ["REQUEST_METHOD"], pattern))
        if route is None:
            return json_answer(
                {"error": f"no such thing here: {environ['REQUEST_METHOD']} {environ['PATH_INFO']}"}, 404
            )
        try:
            return route(
                name=parts[1] if len(parts) > 1 else "",
                query={key: values[-1] for key, values in parse_qs(environ.get("QUERY_STRING", "")).items()},
                body=_json_body(environ),
            )
        except (LocalCloudError, KeyError, TypeError, ValueError) as error:
            return json_answer({"error": _sentence(error)}, 400)
        except Exception as error:  # noqa: BLE001 - logged, and told to who asked
            _log.exception("a defect in the control API: %s", environ["PATH_INFO"])
            return json_answer({"error": f"{type(error).__name__}: {error}"}, 501)

    def machines(self) -> list[dict[str, object]]:
        return [machine.describe() for machine in self._context.machines.all()]

    def inventory(self) -> Inventory:
        with self._context.lock:
            return self._inventories.take()

    def register_image(self, name: str, folder: Path, tags: dict[str, str], region: str | None = None) -> str:
        """Make an image from a folder, in the home region unless another is named."""
        region = region or self._context.region
        if region not in self._context.networks:
            raise LocalCloudError(f"no region {region!r} here: there is {', '.join(self._context.networks)}")
        image_id = register_image(self._context, ec2_backends[ACCOUNT][region], name, folder, tags)
        self._context.record.append(
            "image", event="registered", region=region, image=image_id, name=name, tags=tags
        )
        return image_id

    def tamper_image(self, image_id: str) -> int:
        """Flip a bit of one byte of what the image's snapshot holds; the byte's place."""
        with self._context.lock:
            for region, backend in ec2_backends[ACCOUNT].items():
                if image_id in backend.amis:
                    place = self._context.blocks.tamper(backend.amis[image_id].ebs_snapshot.id)
                    self._context.record.append(
                        "image", event="tampered", region=region, image=image_id, byte=place
                    )
                    return place
        raise LocalCloudError(f"there is no image {image_id!r} in any region")

    def add_fault(self, kind: str, **options: Any) -> Fault:
        with self._context.lock:  # no launch is half way into a zone that goes dark
            fault = self._context.faults.add(kind, **options)
            self._note_fault("added", fault)
        self._context.databases.heed(self._context.faults)
        return fault

    def clear_faults(self, fault_id: str | None = None) -> None:
        with self._context.lock:
            for fault in self._context.faults.clear(fault_id):
                self._note_fault("cleared", fault)
        self._context.databases.heed(self._context.faults)

    def _note_fault(self, event: str, fault: Fault) -> None:
        described = fault.describe()
        described["fault"] = described.pop("kind")
        self._context.record.append("fault", event=event, **described)
        if fault.kind is Kind.DARK_ZONE:
            self._relight()

    def _relight(self) -> None:
        """Freeze the machines of dark zones, revive those of zones that are dark no more."""
        for machine in self._context.machines.all():
            dark = self._context.faults.is_dark(machine.order.zone)
            if machine.hung != dark:
                self._context.machines.hang(machine.order.instance_id, hung=dark)

    def _health(self, **_: object) -> Answer:
        return json_answer(
            {
                "status": "ready",
                "local": True,
                "region": self._context.region,
                "regions": list(self._context.networks),
                "network": str(self._context.networks[self._context.region].cidr),
                "networks": {region: str(one.cidr) for region, one in self._context.networks.items()},
                "resolver": self._resolver,
                "machines": str(self._context.ground.driver),
                "reason": self._context.ground.reason,
                "base_image": self._context.ground.base,
            }
        )

    def _record(self, query: dict[str, str], **_: object) -> Answer:
        return json_answer(self._context.record.since(int(query.get("since", "0"))))

    def _add_fault(self, body: dict[str, Any], **_: object) -> Answer:
        return json_answer(self.add_fault(**body).describe(), 201)

    def _clear_faults(self, name: str, **_: object) -> Answer:
        self.clear_faults(name or None)
        return json_answer(self._context.faults.all())

    def _release(self, name: str, body: dict[str, Any], **_: object) -> Answer:
        return json_answer({"released": self._context.faults.release(name, **body)})

    def _register_image(self, body: dict[str, Any], **_: object) -> Answer:
        image_id = self.register_image(
            body["name"], Path(body["folder"]), body.get("tags", {}), body.get("region")
        )
        return json_answer({"image": image_id}, 201)


def _json_body(environ: Environ) -> dict[str, Any]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    content = json.loads(body or b"{}")
    if not isinstance(content, dict):
        raise LocalCloudError("the body must be a JSON object")
    return content


def _sentence(error: Exception) -> str:
    return f"missing: {error}" if isinstance(error, KeyError) else str(error)
