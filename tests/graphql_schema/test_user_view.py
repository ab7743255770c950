"""What a user can reach: a field that is new there has to be listed here, by somebody who thought.

A root field is granted by its rule; what lies within comes with it. So this is the list of what is
told to whoever is no admin, about themselves.
"""

from __future__ import annotations

from graphql import GraphQLObjectType, get_named_type
from strawberry.types import get_object_definition

from copilot_analytics.events import METADATA_KEYS
from copilot_analytics_graphql.permissions import AdminOnly
from copilot_analytics_graphql.query import Query
from copilot_analytics_graphql.schema import core_schema

SEEN = {
    "Conversation": {"events", "id", "userId"},
    "Event": {
        "connectionId",
        "conversationId",
        "eventType",
        "id",
        "metadata",
        "timestamp",
        "userId",
    },
    "EventConnection": {"edges", "pageInfo"},
    "EventEdge": {"cursor", "node"},
    "ExtraValue": {"name", "value"},
    "PageInfo": {"endCursor", "hasNextPage", "hasPreviousPage", "startCursor"},
    "UserActivity": {
        "connections",
        "days",
        "errors",
        "executions",
        "failures",
        "lastSeen",
        "messages",
        "successRate",
        "userId",
    },
    "UserDay": {"connections", "day", "errors", "executions", "failures", "messages"},
}


def roots_of_users() -> set[str]:
    return {
        field.python_name
        for field in get_object_definition(Query, strict=True).fields
        if not any(issubclass(rule, AdminOnly) for rule in field.permission_classes)
    }


def test_users_may_ask_these_questions_and_no_others() -> None:
    assert roots_of_users() == {"conversation", "events", "user_activity"}


def test_users_are_told_this_and_nothing_else() -> None:
    query = core_schema().query_type
    assert query is not None
    waiting = [query.fields[name] for name in ("conversation", "events", "userActivity")]
    seen: dict[str, set[str]] = {}
    while waiting:
        type_ = get_named_type(waiting.pop().type)
        if isinstance(type_, GraphQLObjectType) and type_.name not in seen:
            seen[type_.name] = set(type_.fields)
            waiting += type_.fields.values()

    # Which keys there are is documented, and tested, for everybody who stores them.
    stored = {key.stored for keys in METADATA_KEYS.values() for key in keys.values()}
    assert seen.pop("EventMetadata") == {*stored, "extra"}
    assert seen == SEEN
