"""Hold a stored SBOM against the advisories that the order brought along. Blocks."""

from steadfleet_activities.image.examining.sbom import components_of
from steadfleet_activities.image.scratch import scratch
from steadfleet_activities.image.store import ImageStore, Kept
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.gate import judge
from steadfleet_core.image.osv import read_advisories
from steadfleet_core.image.report import GateReport
from steadfleet_core.image.sources import unpack
from steadfleet_core.model import digest_of
from steadfleet_ports.image import ImageJudgement


def judged(judgement: ImageJudgement, store: ImageStore) -> GateReport:
    """Raise `RefusedError` where a gate demands what there is not."""
    gates = judgement.gates
    if judgement.sbom is None and gates.sbom:
        raise RefusedError("spec.gates.sbom demands an SBOM, and none was made of the image")
    if gates.vulnerabilities is None or judgement.sbom is None:
        return GateReport()
    name = gates.vulnerabilities.advisories
    content = _source(store.get(Kept.SOURCES, judgement.build.sources), name)
    advisories = read_advisories(content, name)
    components = components_of(store.get(Kept.SBOM, judgement.sbom))
    return judge(components, advisories, gates.vulnerabilities, judgement.at, digest_of(content))


def _source(packed: bytes, name: str) -> bytes:
    with scratch("judge") as folder:
        unpack(packed, folder)
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise RefusedError(
                f"{name}: is not among the sources of this order: expected the advisories there"
            ) from error
