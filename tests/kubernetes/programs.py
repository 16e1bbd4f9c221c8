"""What `.ci/kubernetes` built, and how it is called."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Programs:
    """etcd, kube-apiserver and kubectl, and the definitions of the kinds that are not Kubernetes' own."""

    folder: Path
    definitions: Path
    helm: Path

    @classmethod
    def found(cls) -> Self:
        said = subprocess.run(
            [ROOT / ".ci/kubernetes", "where"], check=True, capture_output=True, text=True
        ).stdout
        places = dict(line.split("=", 1) for line in said.splitlines())
        programs = cls(Path(places["programs"]), Path(places["definitions"]), Path(places["helm"]))
        missing = [str(place) for place in (programs.folder, programs.definitions) if not place.is_dir()]
        if missing:
            _lacking(f"{' and '.join(missing)} missing: run `.ci/kubernetes` (minutes, needs Go 1.26)")
        return programs

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def kubectl(
        self, arguments: Sequence[str | Path], given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, with nothing of the caller's own configuration."""
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": "/dev/null"}
        return subprocess.run(
            [self.path("kubectl"), *arguments],
            input=given,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def _lacking(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
