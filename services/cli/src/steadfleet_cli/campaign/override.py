"""Set values in a policy's text from the command line, leaving its lines where they were.

The text is validated afterwards, as a whole: so an override is judged like anything written.
"""

from dataclasses import dataclass

import yaml

from steadfleet_cli.edit import Path, find, mapping_of, set_value, word


@dataclass(frozen=True)
class Overrides:
    """What the command line says in the policy's stead; `image` is ami-… or family@version."""

    strategy: str | None = None
    fleet: str | None = None
    groups: tuple[str, ...] = ()
    image: str | None = None
    name: str | None = None

    def apply(self, text: str, source: str) -> str:
        """Return the text with these values; a text that is no mapping is left for the contract to refuse."""
        root = mapping_of(text)
        if root is None:
            return text
        for path, value in self._changes(root).items():
            text = set_value(text, path, value, source)
        return text

    def _changes(self, root: yaml.MappingNode) -> dict[Path, object]:
        changes: dict[Path, object] = {}
        if self.strategy and word(root, ("spec", "strategy", "type")) != self.strategy:
            # A block of another strategy would be ignored, and so refused: it goes with its type.
            changes["spec", "strategy"] = {"type": self.strategy}
        if self.fleet:
            changes["spec", "fleet", "name"] = self.fleet
        if self.groups:
            changes["spec", "fleet", "selector", "groups"] = list(self.groups)
            if find(root, ("spec", "fleet", "selector", "tags")):
                # Groups and tags add up: with --group no other group may be in scope.
                changes["spec", "fleet", "selector", "tags"] = {}
        if self.image:
            signed = word(root, ("spec", "image", "signed"))
            changes["spec", "image"] = image_of(self.image) | ({"signed": signed == "true"} if signed else {})
        if self.name:
            changes["metadata", "name"] = self.name
        return changes


def image_of(text: str) -> dict[str, object]:
    """Read `family@version`, or else an image id."""
    family, at, version = text.partition("@")
    return {"family": family, "version": version} if at else {"id": text}
