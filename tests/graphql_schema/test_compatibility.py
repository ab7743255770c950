"""The schema beside that of the last release: what breaks clients is named in the changelog."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, find_breaking_changes

ROOT = Path(__file__).resolve().parents[2]
SDL = "graphql_schema/schema.graphql"


def git(*arguments: str) -> str | None:
    """Return what git says; None where it says no, or is not there."""
    if shutil.which("git") is None:
        return None
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


def notes_since(version: str, changelog: str) -> str:
    """Return the changelog's sections after a release's."""
    return changelog.partition(f"\n## [{version}]")[0]


def unnamed_changes(old: str, new: str, notes: str) -> list[str]:
    """Return the changes from one SDL to another that break clients and that no note names.

    A note names one by its coordinate: `User`, `User.name`, `Order.AGE`, `Query.users(first:)`.
    """
    before = build_schema(old)
    changes = find_breaking_changes(before, build_schema(new))
    return [
        change.description
        for change in changes
        if f"`{coordinate_of(change.description, before)}`" not in notes
    ]


def coordinate_of(description: str, before: GraphQLSchema) -> str:
    """Return what a sentence of graphql-core's is about."""
    words: list[str] = re.findall(r"\w+(?:\.\w+)?(?:\(\w+:\))?", description)
    return next(word for word in words if re.split(r"[.(]", word)[0] in before.type_map)


def test_what_breaks_clients_of_the_last_release_is_in_the_changelog() -> None:
    tag = git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
    released = None if tag is None else git("show", f"{tag.strip()}:{SDL}")
    if tag is None or released is None:
        pytest.skip("nothing is released yet, or this is no clone with its tags")
    notes = notes_since(tag.strip().removeprefix("v"), (ROOT / "CHANGELOG.md").read_text())

    unnamed = unnamed_changes(released, (ROOT / SDL).read_text(), notes)

    assert unnamed == [], "name each in CHANGELOG.md under Unreleased"


OLD = """
type Query { users(first: Int = 10): [User!]! events: Int }
type User { id: ID! name: String }
enum Order { NAME AGE }
"""


@pytest.mark.parametrize(
    ("change", "coordinate"),
    [
        (("events: Int", "other: Int"), "Query.events"),
        (("name: String", "name: Int"), "User.name"),
        (("NAME AGE", "NAME"), "Order.AGE"),
        (("enum Order { NAME AGE }", ""), "Order"),
        (("(first: Int = 10)", ""), "Query.users(first:)"),
        (("first: Int = 10", "first: Int!"), "Query.users(first:)"),
        (("enum Order { NAME AGE }", "type Order { name: Int }"), "Order"),
    ],
)
def test_a_change_that_breaks_clients_has_to_be_named(
    change: tuple[str, str], coordinate: str
) -> None:
    new = OLD.replace(*change)

    assert len(unnamed_changes(OLD, new, "## [Unreleased]\n\n- `User` and Query.events.\n")) == 1
    assert unnamed_changes(OLD, new, f"- `{coordinate}` is another now.\n") == []


@pytest.mark.parametrize(
    "change",
    [
        ("events: Int", 'events: Int @deprecated(reason: "use users")'),
        ("events: Int", "events(last: Int = 5): Int more: Int"),
        ("NAME AGE", "NAME AGE SIZE"),
        ("name: String", "name: String!"),
    ],
)
def test_what_is_added_breaks_nobody(change: tuple[str, str]) -> None:
    assert unnamed_changes(OLD, OLD.replace(*change), "") == []


def test_only_the_notes_since_the_release_count() -> None:
    changelog = "# Changelog\n\n## [Unreleased]\n\nnew\n\n## [0.2.0] - 2026-01-01\n\nold\n"

    assert "new" in notes_since("0.2.0", changelog)
    assert "old" not in notes_since("0.2.0", changelog)
