"""The context of a request: everything that its resolvers share."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import strawberry
from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode
from sqlalchemy import false, true

from app.access.auth import Viewer
from app.access.field_access import AccessContext, AccessRule
from app.config import Settings
from app.db.engine import Database
from app.domain.enums import ApiScope
from app.graphql.document_cache import DocumentCache
from app.graphql.loaders import Loaders

if TYPE_CHECKING:
    from app.graphql.plans import Plans


@dataclass(slots=True)
class Context:
    """The viewer of one request, the current time, and the loaders that batch the request's reads.

    `now` is read once, so that every field of a response is computed for the same time.
    """

    db: Database
    viewer: Viewer
    now: datetime
    settings: Settings
    documents: DocumentCache
    plans: "Plans | None"
    """None in tests that compare the plans with the resolvers."""
    access: AccessContext = field(init=False)
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Drop everything loaded so far, because a mutation has changed it or time has passed."""
        may_write = true() if ApiScope.WRITE in self.viewer.scopes else false()
        self.access = AccessContext(self.viewer.id, self.now, may_write)
        self.loaders = Loaders(self.db, self.access)

    async def can_read(self, row: Any, rule: AccessRule) -> bool:
        """Whether the rule grants the viewer its fields of the row. Takes a statement only if the row cannot tell."""
        if rule.grants_owner(row, self.viewer.id, self.now):
            return True
        return rule.or_else is not None and bool(await self.loaders.expression(rule.model, rule.sql).load(row.id))


class Info(strawberry.Info[Context, None]):
    """The field that a resolver answers, and its context."""

    def selects(self, name: str) -> bool:
        """Whether the document selects the field `name` below this one, directly or in a fragment."""
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
