"""The documents say what is true: links, code, commands, and the whole list of what is stored."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from copilot_analytics.config import SETTINGS, AnalyticsConfig
from copilot_analytics.events import METADATA_KEYS, AnalyticsEvent, EventType, ValueKind
from copilot_analytics.rollups import RollupKind
from copilot_analytics.stores import SQLiteStore

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PRIVACY = ROOT / "docs" / "privacy.md"
OWN_PACKAGES = ("copilot_analytics", "copilot_analytics_graphql", "copilot_analytics_plugins")

# The environment of `make infrastructure` alone has the CDK; it runs these tests, too.
CDK = {"aws_cdk", "copilot_analytics.infrastructure.cdk"}
# That of `make interchange` alone has pandas; likewise.
NOT_HERE = {
    *(() if importlib.util.find_spec("aws_cdk") else CDK),
    *(() if importlib.util.find_spec("pandas") else ["pandas"]),
}


def each_of(documents: list[Path]) -> pytest.MarkDecorator:
    names = [path.relative_to(ROOT).as_posix() for path in documents]
    return pytest.mark.parametrize("document", documents, ids=names)


each_document = each_of(DOCUMENTS)
# The architecture's blocks are signatures without bodies.
each_document_with_programs = each_of([path for path in DOCUMENTS if path.stem != "architecture"])


def prose_of(document: Path) -> str:
    """A document without its code blocks."""
    return re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def blocks_of(document: Path, *languages: str) -> Iterator[tuple[int, str]]:
    """The code blocks in one of the languages, each with its line."""
    text = document.read_text()
    for found in re.finditer(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        if found[1] in languages:
            yield text.count("\n", 0, found.start()) + 1, found[2]


def anchors_of(document: Path) -> set[str]:
    """What GitHub and most other renderers make of a document's headings."""
    headings = re.findall(r"^#+ (.*)$", prose_of(document), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", prose_of(document))
    relative = [target for target in targets if "://" not in target]

    for target in relative:
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), f"{document.name} links to {target}"
        if anchor:
            assert anchor in anchors_of(file), f"{document.name} links to {target}"


@each_document_with_programs
def test_python_blocks_compile(document: Path) -> None:
    for line, code in blocks_of(document, "python"):
        try:
            compile(code, document.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except SyntaxError as error:
            pytest.fail(f"{document.name}:{line}: {error}")


@each_document_with_programs
def test_python_blocks_import_what_exists(document: Path) -> None:
    for line, code in blocks_of(document, "python"):
        for module, name in imports_of(ast.parse(code)):
            place = f"{document.name}:{line}: {module}"
            if module in NOT_HERE:
                continue
            if module.partition(".")[0] not in OWN_PACKAGES:
                assert importlib.util.find_spec(module.partition(".")[0]), place
            elif name is not None:
                found = importlib.import_module(module)
                assert name in getattr(found, "__all__", ()), f"{place} does not offer {name}"
            else:
                importlib.import_module(module)


def imports_of(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


@each_document
def test_make_targets_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    blocks = "\n".join(code for _, code in blocks_of(document, "console", "sh", "bash"))
    named = set(re.findall(r"^\$ make ([a-z-]+)", blocks, flags=re.MULTILINE))
    named |= set(re.findall(r"`make ([a-z-]+)", prose_of(document)))

    assert not {name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)}


@each_document
def test_no_document_has_a_gap(document: Path) -> None:
    assert not re.search(r"@@\w+@@|\bTODO\b|\bTBD\b|\bFIXME\b", document.read_text())


def table_under(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading of docs/privacy.md, without its head."""
    _, found, rest = PRIVACY.read_text().partition(f"\n## {heading}\n")
    assert found, f"docs/privacy.md has no section {heading!r}"
    lines = rest.partition("\n## ")[0].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def names_in(cells: Iterable[str]) -> list[str]:
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_privacy_lists_every_field_of_an_event() -> None:
    listed = names_in(row[0] for row in table_under("What an event holds"))

    assert listed == list(AnalyticsEvent.__struct_fields__)


def test_privacy_lists_the_keys_of_every_event_type() -> None:
    everywhere = set.intersection(*(set(keys) for keys in METADATA_KEYS.values()))
    assert everywhere == {"variant"}

    listed = {
        EventType(names_in([row[0]])[0]): set(names_in([row[1]]))
        for row in table_under("Which keys an event type has")
    }
    assert listed == {
        event_type: {key.stored for name, key in keys.items() if name not in everywhere}
        for event_type, keys in METADATA_KEYS.items()
    }


def test_privacy_lists_every_metadata_key_as_the_code_does() -> None:
    keys = {
        (key.stored, key.kind, key.meaning) for of in METADATA_KEYS.values() for key in of.values()
    }
    expected = [f"| `{stored}` | {kind} | {meaning} |" for stored, kind, meaning in sorted(keys)]
    table = table_under("What each key means")

    listed = [f"| {' | '.join(row[:3])} |" for row in table]
    assert listed == expected, "the table should start each row so:\n" + "\n".join(expected)
    assert all(row[3].strip(" |") for row in table), "every key says why it is stored"


def test_privacy_lists_every_kind_of_value() -> None:
    listed = [row[0] for row in table_under("How values are bounded")]

    assert sorted(listed) == sorted(ValueKind)


def test_privacy_lists_every_kind_of_rollup() -> None:
    listed = [row[0] for row in table_under("What is counted")]

    assert listed == list(RollupKind)


def test_privacy_lists_every_table_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    store = SQLiteStore(str(file))
    store.open()
    store.close()
    connection = sqlite3.connect(file)
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()

    listed = names_in(row[0] for row in table_under("The file, table by table"))
    assert sorted(listed) == sorted(name for (name,) in names if not name.startswith("sqlite_"))


def test_architecture_names_every_module_of_the_core() -> None:
    """Whoever looks for a concept finds its module there; private helpers are their module's."""
    core = importlib.import_module("copilot_analytics").__path__[0]
    modules = {
        path.name if path.suffix else f"{path.name}/"
        for path in Path(core).iterdir()
        if not path.name.startswith("_") and path.name != "py.typed"
    }

    named = set(names_in([prose_of(ROOT / "docs" / "architecture.md")]))
    assert modules <= named


@each_document
def test_variables_are_settings(document: Path) -> None:
    """`serve` has two variables of its own, its token and its file of tokens; tests have theirs."""
    named = set(re.findall(r"\bCOPILOT_ANALYTICS_(?!TEST_)[A-Z_]*[A-Z]", document.read_text()))

    assert named <= {setting.variable for setting in SETTINGS} | {
        "COPILOT_ANALYTICS_TOKEN",
        "COPILOT_ANALYTICS_TOKENS",
    }


def test_privacy_states_the_default_retention() -> None:
    defaults = AnalyticsConfig()
    days = [names_in([row[2]]) + re.findall(r"\d+", row[1]) for row in table_under("How long")]

    assert days[0] == [variable_of("event_retention_days"), str(defaults.event_retention_days)]
    assert days[1] == [variable_of("rollup_retention_days"), str(defaults.rollup_retention_days)]


def variable_of(name: str) -> str:
    return next(setting.variable for setting in SETTINGS if setting.name == name)


def test_configuration_is_the_table_of_settings() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.+?) \| (.+) \|$", text, flags=re.MULTILINE)

    assert rows == [
        (setting.name, setting.variable, shown_default(setting.default), setting.meaning)
        for setting in SETTINGS
    ]


def shown_default(default: object) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"`{default}`" if default else "none"
