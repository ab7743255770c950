"""Why an import is not done, or not gone on with."""

from __future__ import annotations

from ..errors import CopilotAnalyticsError

__all__ = ["ImportRefusedError"]


class ImportRefusedError(CopilotAnalyticsError):
    """An import cannot be done as asked; nothing was written by this call.

    Attributes:
        source: what was to be imported, without credentials.
        problem: what is the matter.
        remedy: what to do.
    """

    def __init__(self, source: str, problem: str, remedy: str) -> None:
        super().__init__(source, problem, remedy)
        self.source = source
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.source}: {self.problem}; {self.remedy}"
