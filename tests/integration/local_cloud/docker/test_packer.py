"""A real packer builds images from the base image over SSH, and machines start from them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from integration.local_cloud.aws import Aws, ask
from integration.local_cloud.docker.conftest import missing
from integration.local_cloud.docker.secure_shell import Key, ssh, told
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud

pytestmark = pytest.mark.docker

SERVICE = """
import http.server, json, os

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"id": os.environ["INSTANCE_ID"], "by": "packer"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answer).serve_forever()
"""

PROVISIONER = {
    "type": "shell",
    "inline": [
        "mkdir -p /opt/machine",
        f"cat >/opt/machine/run.py <<'END'{SERVICE}END",
        "echo 'built by packer' >/etc/motd",
    ],
}


class Packer:
    """A packer that builds from the base image."""

    def __init__(self, program: str, folder: Path, builder: dict[str, Any]) -> None:
        self._program = program
        self._folder = folder
        self._builder = builder

    def build(self, **options: str) -> str:
        """Run it; the id of the image that it made."""
        template = {"builders": [self._builder | options], "provisioners": [PROVISIONER]}
        (self._folder / "template.json").write_text(json.dumps(template))
        folder = str(self._folder)
        done = subprocess.run(
            [self._program, "build", "-machine-readable", "template.json"],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": folder,
                "TMPDIR": folder,
                "PACKER_CONFIG_DIR": folder,
                "CHECKPOINT_DISABLE": "1",
            },
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        (artifact,) = [line for line in done.stdout.splitlines() if ",artifact,0,id," in line]
        return artifact.rpartition(":")[2]


@pytest.fixture
def packer(cloud: LocalCloud, aws: Aws, base: str, tmp_path: Path) -> Packer:
    program = shutil.which("packer")
    if program is None:
        missing("packer")
    zone = f"{cloud.region}b"
    (place,) = aws.ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": [zone]}])["Subnets"]
    builder = {
        "type": "amazon-ebs",
        "access_key": "local",
        "secret_key": "local",
        "region": cloud.region,
        "custom_endpoint_ec2": cloud.endpoint,
        "skip_region_validation": True,
        "skip_credential_validation": True,
        "skip_metadata_api_check": True,
        "source_ami": base,
        "instance_type": "t3.micro",
        "vpc_id": place["VpcId"],
        "subnet_id": place["SubnetId"],
        "communicator": "ssh",
        "ssh_interface": "private_ip",
        "ssh_username": "root",
        "ami_name": "web-2.0",
        "tags": {"version": "2.0"},
    }
    return Packer(str(program), tmp_path, builder)


def check_machine(aws: Aws, image: str, folder: Path, unwanted: Path | None) -> None:
    """Start a machine with a key of its own: it has what was built, and no other key opens it."""
    key = Key(aws, folder, "operator")
    (instance,) = aws.launch(image, KeyName=key.name)
    address = aws.address(instance)

    assert until(partial(ask, address)) == {"id": instance, "by": "packer"}
    assert told(address, key.file, "cat /etc/motd") == "built by packer\n"
    assert told(address, key.file, "cat /root/.ssh/authorized_keys | wc -l").strip() == "1"
    if unwanted:
        assert ssh(address, unwanted, "true").returncode == 255


def test_packer_builds_with_a_key_pair_of_its_own(
    cloud: LocalCloud, aws: Aws, packer: Packer, tmp_path: Path
) -> None:
    before = cloud.inventory()

    image = packer.build()

    after = cloud.inventory()
    made = {kind for kind, items in after.items() if items != before.get(kind)}
    assert made <= {"content", "images", "snapshots"}, "packer left something behind"
    assert cloud.machines() == []
    (built,) = aws.ec2.describe_images(ImageIds=[image])["Images"]
    assert (built["Name"], built["Tags"]) == ("web-2.0", [{"Key": "version", "Value": "2.0"}])
    check_machine(aws, image, tmp_path, None)


@pytest.mark.parametrize("kind", ["rsa", "ed25519", "imported"])
def test_packer_builds_with_a_key_pair_that_was_made_before(
    aws: Aws, packer: Packer, tmp_path: Path, kind: str
) -> None:
    if kind == "imported":
        file = tmp_path / "builder"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
        aws.ec2.import_key_pair(KeyName="builder", PublicKeyMaterial=file.with_suffix(".pub").read_bytes())
    else:
        file = Key(aws, tmp_path, "builder", kind).file

    image = packer.build(ssh_keypair_name="builder", ssh_private_key_file=str(file))

    check_machine(aws, image, tmp_path, file)
