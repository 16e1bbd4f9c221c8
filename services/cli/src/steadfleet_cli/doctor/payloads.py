"""Whether payloads are encrypted, and whether who should read them can."""

import asyncio
import http.client
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from steadfleet_cli.doctor.findings import Finding, Standing
from steadfleet_durable import EngineError
from steadfleet_durable.encryption_keys import Keyring

ENDPOINT = "TEMPORAL_CODEC_ENDPOINT"
_ANSWERS_WITHIN = 5.0


async def payloads(env: Mapping[str, str]) -> list[Finding]:
    endpoint = env.get(ENDPOINT)
    codec = [await asyncio.to_thread(_codec, endpoint, env)] if endpoint else []
    return [_keys(env), *codec]


def _keys(env: Mapping[str, str]) -> Finding:
    name = "payload keys"
    try:
        keyring = Keyring.from_environment(env)
    except EngineError as error:
        return Finding(name, Standing.MISSING, str(error), "correct the file, or ask who keeps the keys")
    if keyring is None:
        advice = "name a file of keys in STEADFLEET_PAYLOAD_KEYS, alike for workers and commands"
        return Finding(name, Standing.OPTIONAL, "none: payloads lie in the engine as they are", advice)
    others = len(keyring.keys) - 1
    read = f", reads {others} older" if others else ""
    return Finding(name, Standing.OK, f"encrypts with {keyring.current}{read}")


def _codec(endpoint: str, env: Mapping[str, str]) -> Finding:
    """Ask it to decode nothing: that needs the way there and the right to ask."""
    namespace = env.get("TEMPORAL_NAMESPACE") or "default"
    url = f"{endpoint.replace('{namespace}', namespace).rstrip('/')}/decode"
    try:
        status = _post(url, namespace, env.get("TEMPORAL_CODEC_AUTH", ""))
    except (OSError, ValueError, http.client.HTTPException) as error:
        return _codec_missing(f"{url}: {error}", f"start steadfleet-codec-server, or correct {ENDPOINT}")
    if status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
        return _codec_missing(
            f"{url} answers {status}", "give a credential that it accepts: TEMPORAL_CODEC_AUTH"
        )
    if status != http.client.OK:
        return _codec_missing(
            f"{url} answers {status}", f"is that a codec server? correct {ENDPOINT}, or read its log"
        )
    return Finding("codec server", Standing.OK, f"{url} decodes for {namespace}")


def _codec_missing(found: str, advice: str) -> Finding:
    return Finding("codec server", Standing.MISSING, found, advice)


def _post(url: str, namespace: str, authorization: str) -> int:
    place = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if place.scheme not in kinds or not place.hostname:
        raise ValueError("expected a URL with http or https")
    headers = {"Content-Type": "application/json", "X-Namespace": namespace}
    headers |= {"Authorization": authorization} if authorization else {}
    connection = kinds[place.scheme](place.hostname, place.port, timeout=_ANSWERS_WITHIN)
    try:
        connection.request("POST", place.path, json.dumps({"payloads": []}), headers)
        status: int = connection.getresponse().status
        return status
    finally:
        connection.close()
