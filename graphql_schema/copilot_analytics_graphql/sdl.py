"""Prints the schema in GraphQL's schema definition language: `python -m ….sdl`."""

from __future__ import annotations

import sys

from .schema import build_schema

__all__ = ["main"]


def main() -> None:
    """Write the SDL to standard output."""
    sys.stdout.write(f"{build_schema().as_str()}\n")


if __name__ == "__main__":
    main()
