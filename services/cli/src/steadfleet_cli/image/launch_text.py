"""What `image build` shows before it starts, and says when it has."""

from collections.abc import Iterator

from steadfleet_cli.image.launch import Launch, Outcome
from steadfleet_cli.output import section
from steadfleet_core.image.golden import Gates, GoldenImage
from steadfleet_core.image.order import ImageOrder

_BYTES_OF_BASE64 = 3 / 4


def order_text(order: ImageOrder, missing: tuple[str, ...]) -> str:
    return "\n".join(_order_lines(order, missing))


def _order_lines(order: ImageOrder, missing: tuple[str, ...]) -> Iterator[str]:
    image, spec = order.image, order.image.spec
    size = int(len(order.sources) * _BYTES_OF_BASE64)
    yield f"image {image.family} {image.version}: {spec.build.template} on {spec.build.base}"
    yield f"order {order.digest}, {len(image.files)} named sources, {size:,} bytes packed"
    checks = len(spec.tests.checks)
    yield f"tests: {checks} {'check' if checks == 1 else 'checks'} on a fresh machine"
    yield f"gates: {_gates(spec.gates)}"
    yield f"publish: {_publish(image)}"
    yield from section("missing", missing)


def _gates(gates: Gates) -> str:
    wanted = [name for name in ("sbom", "signature", "provenance") if getattr(gates, name)]
    if gates.vulnerabilities:
        fixable = "fixable " if gates.vulnerabilities.fixable_only else ""
        wanted.append(f"no {fixable}vulnerability of {gates.vulnerabilities.severity} or more")
    return ", ".join(wanted) or "none"


def _publish(image: GoldenImage) -> str:
    publish = image.spec.publish
    places = [
        place.name + ("" if place.required else " (best effort)")
        for place in (*publish.regions, *publish.registries)
    ]
    channel = f"; then channel {publish.channel}" if publish.channel else "; no channel is moved"
    return (", ".join(places) or "where it is built") + channel


def launch_text(launch: Launch) -> str:
    return "\n".join(_launch_lines(launch))


def _launch_lines(launch: Launch) -> Iterator[str]:
    name = f"{launch.family} {launch.version}"
    match launch.outcome:
        case Outcome.STARTED:
            yield f"build of {name} started"
        case Outcome.ATTACHED:
            yield f"{name} is being built from the same order: attached, nothing was started"
        case Outcome.EXISTS:
            yield f"{name} was built from this very order and is published: nothing to do"
    yield from (f"note: {note}" for note in launch.notes)
    if launch.ui:
        yield f"ui: {launch.ui}"
    verb = "show" if launch.outcome is Outcome.EXISTS else "watch"
    yield f"next: steadfleet image {verb} {name}"
