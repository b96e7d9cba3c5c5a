"""What every resolver of one request shares."""

from dataclasses import dataclass, field
from datetime import datetime

import strawberry
from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from app.access.auth import Viewer
from app.config import Settings
from app.db.engine import Database
from app.graphql.document_cache import Documents
from app.graphql.loaders import Loaders


@dataclass(slots=True)
class Context:
    """One request: who asks, when, and the loaders that batch its look-ups.

    `now` is read once, so that a request sees one moment.
    """

    db: Database
    viewer: Viewer
    now: datetime
    settings: Settings
    documents: Documents
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drops what has been loaded: a mutation has changed it."""
        self.loaders = Loaders(self.db, self.viewer.id, self.now, self.settings)


class Info(strawberry.Info[Context, None]):
    """A resolver's view of its field."""

    def selects(self, name: str) -> bool:
        """Whether the document selects the field `name` below this one, in a fragment or not."""
        fragments = self._raw_info.fragments
        seen: set[str] = set()
        stack: list[SelectionSetNode | None] = [node.selection_set for node in self._raw_info.field_nodes]
        while stack:
            for node in getattr(stack.pop(), "selections", ()):
                match node:
                    case FieldNode() if node.name.value == name:
                        return True
                    case InlineFragmentNode():
                        stack.append(node.selection_set)
                    case FragmentSpreadNode() if node.name.value not in seen:
                        seen.add(node.name.value)
                        stack.append(fragments[node.name.value].selection_set)
        return False
