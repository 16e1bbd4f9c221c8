"""The values for Temporal's own chart: keys that it has, and what must be said in them.

The chart has no schema: it takes a misspelt key in silence. So its keys (1.6.0) are written down below, as
its values and templates have them. What it makes of our values, test_temporal_chart.py looks at.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest
import yaml
from kubernetes.programs import ROOT

Values = dict[str, Any]
FILES = ("values-dev.yaml", "values-ha.yaml", "values-tls.yaml", "values-jwt.yaml")
LAYERED = FILES[1:]
ROLES = ("frontend", "internal-frontend", "history", "matching", "worker")
_FOLDER = ROOT / "deploy/kubernetes/temporal"

ANY = object()
"""What lies below is Kubernetes' or the server's own, and rendered as it is."""


def _keys(names: str, **below: Any) -> dict[str, Any]:
    return dict.fromkeys(names.split(), ANY) | below


_SQL = _keys(
    "pluginName driverName databaseName connectAddr connectProtocol user password existingSecret secretKey"
    " createDatabase manageSchema maxConns maxIdleConns maxConnLifetime connectAttributes",
    tls=_keys("enabled caFile certFile keyFile enableHostVerification serverName"),
)
_PODS = _keys(
    "additionalEnv additionalVolumes additionalVolumeMounts affinity enabled nodeSelector podAnnotations"
    " podLabels podDisruptionBudget readinessProbe replicaCount resources terminationGracePeriodSeconds"
    " tolerations topologySpreadConstraints securityContext containerSecurityContext",
    image=_keys("repository tag pullPolicy"),
)
_TLS = _keys("enabled secretName mountPath serverName requireClientAuth")
_AUTHORIZATION = _keys(
    "authorizer claimMapper permissionsClaimName audience",
    jwtKeyProvider=_keys("keySourceURIs refreshInterval"),
)
KEYS: Mapping[str, Any] = {
    "server": {
        **_PODS,
        **dict.fromkeys(ROLES, _PODS),
        "dynamicConfig": ANY,
        "metrics": _keys("annotations", serviceMonitor=_keys("enabled interval")),
        "tls": {"internode": _TLS, "frontend": _TLS},
        "config": _keys(
            "logLevel",
            authorization=_AUTHORIZATION,
            persistence=_keys(
                "defaultStore visibilityStore numHistoryShards",
                datastores={"default": {"sql": _SQL}, "visibility": {"sql": _SQL}},
            ),
            namespaces=_keys("create namespace useHelmHooks useExternalFrontend"),
        ),
    },
    "admintools": {**_PODS, "useExternalFrontend": ANY},
    "web": {**_PODS, "tls": _keys("enabled secretName mountPath serverName enableHostVerification")},
    "schema": _keys("useHelmHooks"),
}


def _read(name: str) -> Values:
    values: Values = yaml.safe_load((_FOLDER / name).read_text())
    return values


def _over(below: Values, above: Values) -> Values:
    """Lay one file of values over another, as helm does."""
    merged = deepcopy(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _over(merged[key], value) if both else value
    return merged


def _in_earnest() -> Values:
    values: Values = {}
    for name in LAYERED:
        values = _over(values, _read(name))
    return values


def _unknown(values: Values, known: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in values.items():
        if key not in known:
            yield f"{path}{key}"
        elif known[key] is not ANY:
            yield from _unknown(value, known[key], f"{path}{key}.")


def _problems(values: Values) -> Iterator[str]:
    """Say what of an installation in earnest would be open, lost or stopped."""
    yield from _open(values["server"], values["web"])
    yield from _without_database(values)
    for role in ROLES:
        settings = values["server"][role]
        if settings["replicaCount"] < 2 or not settings.get("podDisruptionBudget"):
            yield f"{role}: one loss stops it"


def _open(server: Values, web: Values) -> Iterator[str]:
    for way in ("internode", "frontend"):
        if not server["tls"][way]["requireClientAuth"]:
            yield f"{way}: whoever comes without a certificate is let in"
    authorization = server["config"].get("authorization", {})
    if not authorization.get("authorizer"):
        yield "without an authorizer everything is open"
    elif not authorization.get("audience"):
        yield "without an audience a token for anybody else counts"
    if authorization and not server["internal-frontend"]["enabled"]:
        yield "with an authorizer the server ends without an internal frontend"
    if not web["tls"]["enableHostVerification"]:
        yield "the web UI does not look whom it talks to"


def _without_database(values: Values) -> Iterator[str]:
    server, job = values["server"], values["admintools"]
    mounted = [{one["mountPath"] for one in part["additionalVolumeMounts"]} for part in (server, job)]
    for store in server["config"]["persistence"]["datastores"].values():
        if "password" in store["sql"]:
            yield "the database's password is written here"
        if store["sql"]["tls"]["caFile"].rpartition("/")[0] not in set.intersection(*mounted):
            yield "the database's authority is not mounted for servers and schema job"


@pytest.mark.parametrize("name", FILES)
def test_the_values_have_only_keys_that_the_chart_has(name: str) -> None:
    assert list(_unknown(_read(name), KEYS)) == []


def test_a_misspelt_key_is_found() -> None:
    values = _read("values-tls.yaml")
    values["server"]["tls"]["frontend"]["requireClientAuthentication"] = True

    assert list(_unknown(values, KEYS)) == ["server.tls.frontend.requireClientAuthentication"]


def test_an_installation_in_earnest_is_closed_and_survives_a_loss() -> None:
    assert list(_problems(_in_earnest())) == []


MISTAKES: dict[str, tuple[Callable[[Values], Any], str]] = {
    "certificates not asked for": (
        lambda server: server["tls"]["frontend"].update(requireClientAuth=False),
        "let in",
    ),
    "no authorizer": (lambda server: server["config"].pop("authorization"), "everything is open"),
    "no audience": (lambda server: server["config"]["authorization"].pop("audience"), "anybody else"),
    "no internal frontend": (
        lambda server: server["internal-frontend"].update(enabled=False),
        "the server ends",
    ),
    "no authority": (lambda server: server["additionalVolumeMounts"].clear(), "is not mounted"),
    "a password": (
        lambda server: server["config"]["persistence"]["datastores"]["default"]["sql"].update(password="x"),
        "password is written",
    ),
    "one history": (lambda server: server["history"].update(replicaCount=1), "history: one loss"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_open_or_frail_installation_is_found(mistake: str) -> None:
    mutate, said = MISTAKES[mistake]
    values = _in_earnest()
    mutate(values["server"])

    assert [problem for problem in _problems(values) if said in problem]


def test_workers_and_values_name_the_same_namespace_and_server() -> None:
    settings = (ROOT / "deploy/kubernetes/examples/self-host/settings.env").read_text()
    said = dict(line.split("=", 1) for line in settings.splitlines())
    server = _in_earnest()["server"]

    assert said["TEMPORAL_TLS_SERVER_NAME"] == server["tls"]["frontend"]["serverName"]
    assert said["TEMPORAL_NAMESPACE"] in [one["name"] for one in server["config"]["namespaces"]["namespace"]]
