"""An image of the local cloud, and what tries it."""

from pathlib import Path
from typing import Any

from unit.activities.image.examining.workbench import MemoryStore, order, packed

from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.examining.examination import Examining
from steadfleet_activities.image.examining.instances import Instances
from steadfleet_activities.image.store import Kept
from steadfleet_core.image.order import Platform
from steadfleet_local_cloud import LocalCloud
from steadfleet_ports.image import ImageExamination

SSH = 2222
"""Where process machines have their SSH server: the usual port would need more rights."""

HTTP = 8080


class Bench:
    def __init__(self, cloud: LocalCloud, image: str, folder: Path, port: int = SSH) -> None:
        self.cloud = cloud
        self.image = image
        self.store = MemoryStore()
        self.regions = AwsRegions(**cloud.client_settings)
        self.machines = Instances(self.regions, ssh_port=port)
        self.examining = Examining(self.store, {Platform.AWS: self.machines})
        self.before = cloud.inventory()
        self.said: list[str] = []
        self._folder = folder / "sources"
        self._folder.mkdir()

    def order(
        self, *checks: dict[str, Any], files: dict[str, str] | None = None, **other: Any
    ) -> ImageExamination:
        sources = self.store.put(Kept.SOURCES, packed(self._folder, **(files or {})))
        return order(sources, *checks, image=self.image, **other)

    def calls(self, action: str) -> int:
        record = self.cloud.record()
        return sum(entry["kind"] == "call" and entry.get("action") == action for entry in record)

    def nothing_is_left(self) -> bool:
        return self.cloud.inventory() == self.before
