"""Lists that are read page by page, as Relay's connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

import strawberry

from copilot_analytics.rankings import Page

from ..cursors import ListCursors
from ..scalars import Count

__all__ = ["Connection", "Edge", "PageInfo"]

_Node = TypeVar("_Node")
_Row = TypeVar("_Row")


@strawberry.type(description="Where a page is in its list.")
class PageInfo:
    """Relay's, for pages that are read forwards."""

    has_next_page: bool = strawberry.field(
        description="Whether more follows; ask with `after: endCursor`."
    )
    has_previous_page: bool = strawberry.field(description="Whether anything comes before.")
    start_cursor: str | None = strawberry.field(
        description="The first entry's cursor; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="The last entry's cursor; null on an empty page."
    )


def _cursor(root: strawberry.Parent[Edge[Any]]) -> str:
    return root.cursors.cursor(root.place)


@strawberry.type(description="An entry of a list, and its place.")
class Edge(Generic[_Node]):
    """One entry of a page."""

    node: _Node = strawberry.field(description="The entry.")
    place: strawberry.Private[object]
    cursors: strawberry.Private[ListCursors]

    cursor: str = strawberry.field(
        resolver=_cursor,
        description="Its place; opaque, and good for this very list with the same arguments.",
    )


@strawberry.type(description="A page of a list.")
class Connection(Generic[_Node]):
    """Some consecutive entries of a list, see `rankings.Page`."""

    edges: list[Edge[_Node]] = strawberry.field(
        description="The page's entries, in order; at most `first`."
    )
    page_info: PageInfo = strawberry.field(description="Where the page is in the list.")
    total_count: Count = strawberry.field(description="How many entries the whole list has.")

    @classmethod
    def of(cls, page: Page[_Row], node: Callable[[_Row], _Node], cursors: ListCursors) -> Self:
        """Return a page with a node for each of its rows."""
        places = page.positions
        return cls(
            edges=[
                Edge(node=node(row), place=place, cursors=cursors)
                for row, place in zip(page.rows, places, strict=True)
            ],
            page_info=PageInfo(
                has_next_page=page.has_next,
                has_previous_page=page.has_previous,
                start_cursor=cursors.cursor(places[0]) if places else None,
                end_cursor=cursors.cursor(places[-1]) if places else None,
            ),
            total_count=Count(page.total_count),
        )
