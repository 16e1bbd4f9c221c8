"""
Record what a real packer says, for the parser's tests: `python record.py PACKER [NAME]...`.

Needs a Docker engine with the image `packer-recording:1` (a busybox with a passwd file) for packer 1.6,
and a plain moto server at AWS_ENDPOINT_URL; but the `amazon-built` of a modern packer needs the local
cloud there, for moto alone does not take what it sends. Paths of this machine become /run-folder.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import boto3

REGION = os.environ.get("AWS_REGION", "us-east-1")
HERE = Path(__file__).parent
VARIABLES = {"image_name": "web-1.0.0", "base_image": "", "run": "image-web-1.0.0-4711"}
DECLARED = "\n".join(f'variable "{name}" {{\n  type = string\n}}' for name in VARIABLES)


def docker(*commands: str) -> dict[str, str]:
    options = ["-d", "-i", "-t", "--label", "steadfleet:run=${var.run}", "--entrypoint=/bin/sh"]
    source = f"""
source "docker" "web" {{
  image       = var.base_image
  pull        = false
  commit      = true
  run_command = {json.dumps([*options, "--", "{{.Image}}"])}
}}
build {{
  sources = ["source.docker.web"]
  provisioner "shell" {{
    inline = {json.dumps(commands)}
  }}
  post-processor "docker-tag" {{
    repository = "packer-recording-made"
    tags       = ["1.0", "latest"]
  }}
}}
"""
    return {"web.pkr.hcl": DECLARED + source}


def amazon(endpoint: str, **more: Any) -> dict[str, str]:
    builder = {"type": "amazon-ebs", "name": "web", **settings(endpoint, "{{user `%s`}}"), **more}
    return {"web.json": json.dumps({"variables": dict.fromkeys(VARIABLES), "builders": [builder]})}


def amazon_hcl(endpoint: str) -> dict[str, str]:
    pairs = (f"  {key} = {json.dumps(value)}\n" for key, value in settings(endpoint, "${var.%s}").items())
    build = 'build {\n  sources = ["source.amazon-ebs.web"]\n}\n'
    return {"web.pkr.hcl": f'{DECLARED}\nsource "amazon-ebs" "web" {{\n{"".join(pairs)}}}\n{build}'}


def settings(endpoint: str, variable: str) -> dict[str, Any]:
    tags = {"steadfleet:run": variable % "run"}
    return {
        "region": REGION,
        "custom_endpoint_ec2": endpoint,
        "skip_credential_validation": True,
        "skip_metadata_api_check": True,
        "skip_region_validation": True,
        "source_ami": variable % "base_image",
        "instance_type": "t3.micro",
        "communicator": "none",
        "ssh_username": "admin",
        "ami_name": variable % "image_name",
        "run_tags": tags,
        "tags": tags,
    }


NULL_FAILED = {
    "web.json": json.dumps(
        {
            "builders": [{"type": "null", "name": "web", "communicator": "none"}],
            "provisioners": [{"type": "shell-local", "inline": ["echo one, two", "exit 3"]}],
        }
    )
}
UNREADABLE = {"web.pkr.hcl": 'source "null" "web" {\n  communicator = \n}\n'}
UNKNOWN_FIELD = {
    "web.json": json.dumps({"builders": [{"type": "null", "communicator": "none", "no_such_field": 1}]})
}


def main() -> None:
    packer = sys.argv[1]
    said = subprocess.run([packer, "version"], capture_output=True, text=True, check=True).stdout
    version = said.split()[1].removeprefix("v")
    folder = HERE / version
    folder.mkdir(exist_ok=True)
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    ec2 = boto3.client("ec2", region_name=REGION, endpoint_url=endpoint)
    base = ec2.describe_images()["Images"][0]["ImageId"]
    on_aws = VARIABLES | {"base_image": base}
    nowhere = VARIABLES | {"image_name": "web-2.0.0", "base_image": "ami-00000000000000000"}
    old = version.startswith("1.6.")

    runs: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
        "amazon-failed": (amazon_hcl(endpoint), nowhere, ""),
        "null-failed": (NULL_FAILED, {}, ""),
        "template-unreadable": (UNREADABLE, {}, ""),
        "template-unknown-field": (UNKNOWN_FIELD, {}, ""),
        "variables-unset": (amazon_hcl(endpoint), {}, ""),
    }
    if old:
        in_docker = VARIABLES | {"base_image": "packer-recording:1"}
        runs |= {
            "amazon-built": (amazon(endpoint, ami_regions=["eu-west-1"]), on_aws, ""),
            "docker-built": (docker("echo 'hello, world'", "echo aside >&2", "touch /made"), in_docker, ""),
            "docker-failed": (docker("exit 7"), in_docker, ""),
            "docker-cancelled": (docker("echo begun", "sleep 60"), in_docker, "begun"),
        }
    else:
        name = "amazon-built" if "amazon-built" in sys.argv else "amazon-create-failed"
        runs[name] = (amazon_hcl(endpoint), on_aws, "")
        runs["plugin-missing"] = (docker("true"), VARIABLES, "")
    for name in sys.argv[2:] or runs:
        files, variables, end_at = runs[name]
        (folder / f"{name}.txt").write_text(record(packer, files, variables, end_at))


def record(packer: str, files: dict[str, str], variables: dict[str, str], end_at: str) -> str:
    with tempfile.TemporaryDirectory(prefix="rec") as place:
        for name, text in files.items():
            (Path(place) / name).write_text(text)
        (Path(place) / "given.json").write_text(json.dumps(variables))
        scratch = {"TMPDIR": place, "HOME": place, "PACKER_CONFIG_DIR": place, "PACKER_CACHE_DIR": place}
        argv = [packer, "build", "-machine-readable", "-var-file=given.json"]
        argv += [name if name.endswith(".json") else "." for name in files]
        process = subprocess.Popen(
            argv,
            cwd=place,
            env={**os.environ, **scratch, "CHECKPOINT_DISABLE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if end_at and line.rstrip().endswith(f": {end_at}"):
                os.killpg(process.pid, signal.SIGTERM)
        print(" ".join(argv), "exit status", process.wait())  # noqa: T201
        return "".join(lines).replace(place, "/run-folder")


if __name__ == "__main__":
    main()
