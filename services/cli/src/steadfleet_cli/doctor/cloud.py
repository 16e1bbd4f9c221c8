"""Which cloud this shell names, and whether an SDK would find credentials here."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from steadfleet_cli.doctor.findings import Finding, needed
from steadfleet_cli.parts import LOOPBACK, ask_problem


def cloud(env: Mapping[str, str], source: str) -> Iterator[Finding]:
    endpoint = env.get("AWS_ENDPOINT_URL", "")
    if f"//{LOOPBACK}" in endpoint or "//localhost" in endpoint:
        problem = ask_problem(f"{endpoint.rstrip('/')}/_local/health")
        found = problem or f"{endpoint}, the local cloud{source}"
        yield needed("cloud", found, problem is None, "`steadfleet up`, or unset AWS_ENDPOINT_URL for AWS")
    else:
        region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or ""
        found = f"AWS{f' at {endpoint}' if endpoint else ''}, {region or 'no region'}"
        yield needed(
            "cloud",
            found,
            bool(region),
            "`steadfleet up` and `source .run/env` for a local one, or set AWS_REGION",
        )
    credentials = _credentials(env)
    yield needed(
        "cloud credentials",
        credentials or "none in the environment or in ~/.aws",
        bool(credentials),
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, for a worker that is started here",
    )


def _credentials(env: Mapping[str, str]) -> str:
    """Name where an AWS SDK would find credentials, without loading one."""
    if env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        return "AWS_ACCESS_KEY_ID"
    for name in ("AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        if env.get(name):
            return name
    file = Path(env.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials")
    return str(file) if file.is_file() else ""
