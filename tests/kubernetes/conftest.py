"""The programs, the renderings, and one API server for all."""

from collections.abc import Iterator

import pytest
from kubernetes.api_server import NAMESPACE, ApiServer, api_server
from kubernetes.programs import Programs
from kubernetes.rendering import FORMS, Rendering, rendered


@pytest.fixture(scope="session")
def programs() -> Programs:
    return Programs.found()


@pytest.fixture(params=FORMS)
def rendering(request: pytest.FixtureRequest, programs: Programs) -> Rendering:
    """Give each installation that the examples make."""
    return rendered(programs, request.param)


@pytest.fixture(scope="session")
def cluster(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Give an API server that knows our kinds, and has our namespace for real: dry runs need it."""
    with api_server(programs, tmp_path_factory.mktemp("api-server")) as server:
        namespace = rendered(programs, "cloud").named("Namespace", NAMESPACE)
        server.must("apply", "--filename=-", given=Rendering([namespace]).text())
        yield server
