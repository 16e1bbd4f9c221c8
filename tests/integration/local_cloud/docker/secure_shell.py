"""Log in to machines as a person would: with OpenSSH, a key file and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

from integration.local_cloud.aws import Aws
from integration.local_cloud.waiting import until


class Key:
    """A key pair that EC2 made, and its private half in a file."""

    def __init__(self, aws: Aws, folder: Path, name: str, kind: str = "ed25519") -> None:
        self.name = name
        self.file = folder / name
        made = aws.ec2.create_key_pair(KeyName=name, KeyType=kind)  # type: ignore[arg-type]
        self.file.write_text(made["KeyMaterial"])
        self.file.chmod(0o600)


def ssh(address: str, key: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as root; exit code 255 is ssh's own."""
    options = {
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "LogLevel": "ERROR",
        "BatchMode": "yes",
        "ConnectTimeout": "5",
    }
    settings = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return subprocess.run(
        ["ssh", "-F", "none", *settings, "-i", key, f"root@{address}", command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def told(address: str, key: Path, command: str) -> str:
    """Run a command that must succeed, once the machine lets us in; what it printed."""
    done = until(lambda: ssh(address, key, command), lambda one: one.returncode != 255)
    assert done.returncode == 0, done.stderr
    return done.stdout


def host_key(address: str) -> str:
    """Ask a machine for its public host key; empty if nobody answers."""
    done = subprocess.run(
        ["ssh-keyscan", "-T", "2", "-t", "ed25519", address],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout.strip().rpartition(" ")[2]
