"""In what two contracts differ, in words."""

from collections.abc import Iterator

from pydantic import BaseModel

_MOST = 3


def differences(there: BaseModel, here: BaseModel) -> Iterator[str]:
    """Name the values that differ, the first few."""
    other, ours = _flat(there), _flat(here)
    differing = [path for path in {**other, **ours} if other.get(path) != ours.get(path)]
    for path in differing[:_MOST]:
        yield f"{path} is {other.get(path) or 'not set'} there and {ours.get(path) or 'not set'} here"
    if differing[_MOST:]:
        yield f"and {len(differing[_MOST:])} more"


def _flat(model: BaseModel) -> dict[str, object]:
    leaves: dict[str, object] = {}

    def walk(path: str, value: object) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                walk(f"{path}.{key}" if path else str(key), item)
        else:
            leaves[path] = value

    walk("", model.model_dump(mode="json", by_alias=True))
    return leaves
