"""Building the page: when, with which Node, and what is told where it cannot be."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "dashboard/page_build.py"
BUILT = "graphql_schema/copilot_analytics_graphql/dashboard/built"

NODE = """#!/bin/sh
if [ "$1" = --version ]; then echo "$FAKE_VERSION"; exit; fi
echo "node $*" >>"$FAKE_LOG"
if [ -n "$FAKE_FAILURE" ]; then echo "$FAKE_FAILURE" >&2; exit 1; fi
mkdir -p "$COPILOT_ANALYTICS_PAGE_OUT"
echo '<html>' >"$COPILOT_ANALYTICS_PAGE_OUT/index.html"
"""
NPM = """#!/bin/sh
echo "npm $*" >>"$FAKE_LOG"
if [ -n "$FAKE_OFFLINE" ]; then echo "getaddrinfo ENOTFOUND" >&2; exit 1; fi
mkdir -p node_modules
"""


class Project:
    """A project with a page, and a machine with what stands for Node and npm."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.machine = folder / "bin"
        self.log = folder / "log"
        self.machine.mkdir()
        (self.root / "dashboard/src").mkdir(parents=True)
        shutil.copy(SCRIPT, self.root / "dashboard")
        (self.root / "dashboard/package-lock.json").write_text("{}")
        (self.root / "dashboard/src/main.tsx").write_text("1")
        for name in ("mkdir", "sh"):
            program = shutil.which(name)
            assert program
            (self.machine / name).symlink_to(program)
        self._add("node", NODE)
        self._add("npm", NPM)

    def _add(self, name: str, text: str) -> None:
        path = self.machine / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def build(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Build it on a machine that has nothing else: without site-packages, no wheel of Node."""
        return subprocess.run(
            [sys.executable, "-I", "-S", str(self.root / "dashboard/page_build.py")],
            env={
                "PATH": str(self.machine),
                "FAKE_LOG": str(self.log),
                "FAKE_VERSION": "v20.19.0",
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def steps(self) -> list[str]:
        """What was run, each by its first two words."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [" ".join(line.split()[:2]) for line in lines]

    @property
    def page(self) -> Path:
        return self.root / BUILT / "index.html"

    @property
    def reason(self) -> str:
        return (self.root / BUILT / "reason.txt").read_text()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


BUILD = ["npm ci", "node node_modules/vite/bin/vite.js"]


def test_it_is_built_once_and_again_when_its_sources_change(project: Project) -> None:
    assert project.build().returncode == 0
    assert project.page.exists()
    assert project.build().returncode == 0
    assert project.steps == BUILD

    (project.root / "dashboard/src/more.ts").write_text("2")
    assert project.build().returncode == 0
    assert project.steps == [*BUILD, BUILD[1]]  # its packages are there

    (project.root / "dashboard/package-lock.json").write_text("{ }")
    assert project.build().returncode == 0
    assert project.steps == [*BUILD, BUILD[1], *BUILD]


@pytest.mark.parametrize("version", ["v18.20.0", "v20.18.3", "v21.7.0", "v22.11.0", "nonsense"])
def test_an_old_node_counts_as_none(version: str, project: Project) -> None:
    done = project.build(FAKE_VERSION=version)

    assert done.returncode == 0
    assert "No Node of version 20.19, 22.12 or newer was found" in project.reason
    assert not project.page.exists()


@pytest.mark.parametrize("version", ["v20.19.0", "v22.12.0", "v23.0.0", "v24.1.0"])
def test_a_new_node_does(version: str, project: Project) -> None:
    assert project.build(FAKE_VERSION=version).returncode == 0
    assert project.page.exists()


def test_without_npm_the_page_says_so(project: Project) -> None:
    (project.machine / "npm").unlink()

    assert project.build().returncode == 0
    assert "but not npm: install it" in project.reason


def test_without_a_network_the_page_says_what_npm_said(project: Project) -> None:
    done = project.build(FAKE_OFFLINE="1")

    assert done.returncode == 0
    assert "is the npm registry reachable? It said: getaddrinfo ENOTFOUND" in project.reason
    assert project.reason in done.stderr


def test_where_it_is_required_failing_is_an_error(project: Project) -> None:
    done = project.build(FAKE_FAILURE="src/main.tsx: no", COPILOT_ANALYTICS_PAGE="require")

    assert done.returncode == 1
    assert "src/main.tsx: no" in done.stderr


def test_a_page_that_is_there_stays_until_another_is_whole(project: Project) -> None:
    project.build()
    (project.root / "dashboard/src/main.tsx").write_text("broken")

    project.build(FAKE_FAILURE="no")
    assert project.page.exists()
    assert "It said: no" in project.reason

    project.build()
    assert project.page.exists()
    assert not (project.root / BUILT / "reason.txt").exists()
    assert [path.name for path in project.page.parent.parent.iterdir()] == ["built"]
