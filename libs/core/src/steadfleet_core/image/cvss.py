"""The base score of a CVSS v3 vector (first.org/cvss/v3-1/specification-document, section 7)."""

from math import ceil, prod

from steadfleet_core.image.golden import Severity

_WEIGHTS: dict[str, dict[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "PR": {"N": 0.85, "L": 0.62, "H": 0.27},
    "UI": {"N": 0.85, "R": 0.62},
    "S": {"U": 0.0, "C": 1.0},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PRIVILEGES_WHERE_SCOPE_CHANGES = {"N": 0.85, "L": 0.68, "H": 0.5}
_RATINGS = {Severity.CRITICAL: 9.0, Severity.HIGH: 7.0, Severity.MEDIUM: 4.0}


def base_score(vector: str) -> float | None:
    """Compute it; None for what is no vector of v3.0 or v3.1, or lacks a base metric."""
    head, *parts = vector.split("/")
    metrics = dict(part.split(":", 1) for part in parts if ":" in part)
    if head not in {"CVSS:3.0", "CVSS:3.1"} or len(metrics) != len(parts):
        return None
    if any(metrics.get(name) not in values for name, values in _WEIGHTS.items()):
        return None
    weights = {name: values[metrics[name]] for name, values in _WEIGHTS.items()}
    changed = metrics["S"] == "C"
    if changed:
        weights["PR"] = _PRIVILEGES_WHERE_SCOPE_CHANGES[metrics["PR"]]
    lost = 1 - prod(1 - weights[name] for name in "CIA")
    impact = 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15 if changed else 6.42 * lost
    if impact <= 0:
        return 0.0
    exploitability = 8.22 * prod(weights[name] for name in ("AV", "AC", "PR", "UI"))
    return _rounded_up(min((1.08 if changed else 1.0) * (impact + exploitability), 10.0))


def rating_of(score: float) -> Severity:
    """Rate a score; what the specification calls none is low here."""
    return next((rating for rating, least in _RATINGS.items() if score >= least), Severity.LOW)


def _rounded_up(score: float) -> float:
    # As the specification's appendix A does it: 4.02 becomes 4.1, but 4.000000001 stays 4.0.
    whole = round(score * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else ceil(whole / 10_000) / 10
