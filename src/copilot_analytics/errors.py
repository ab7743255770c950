"""Every error this project raises on purpose, as a tree.

* `CopilotAnalyticsError`
    * `ConfigurationError` (also a `ValueError`): a URL, option or adapter that cannot be used
        * `RuleError`: a rule of a `JsonAdapter` that cannot be used
        * `SecretError`: a token or key that cannot be used
    * `MissingDependencyError` (also an `ImportError`): an extra is not installed
    * `QuestionError` (also a `ValueError`): a question that cannot be answered as asked
    * `StoreError`: the store could not do what was asked
        * `StoreUnavailableError`: not now; the same call may succeed later
        * `StoreSchemaError`: the stored data is of a version this code does not know
    * `RecorderClosedError`: an event came after the recorder was closed (strict mode only)

Each keeps what it is about as attributes and builds its text in `__str__`: what happened, the
offending value, what to do. None of them ever carries message text or a user's data.
"""

from __future__ import annotations

__all__ = [
    "ConfigurationError",
    "CopilotAnalyticsError",
    "MissingDependencyError",
    "QuestionError",
    "RecorderClosedError",
    "RuleError",
    "SecretError",
    "StoreError",
    "StoreSchemaError",
    "StoreUnavailableError",
]


class CopilotAnalyticsError(Exception):
    """Root of every error this project raises on purpose."""


class ConfigurationError(CopilotAnalyticsError, ValueError):
    """A setting cannot be used; raised at construction, never later.

    Attributes:
        setting: the name of the setting or argument.
        value: the offending value.
        remedy: what to do, as a sentence.
    """

    def __init__(self, setting: str, value: object, remedy: str) -> None:
        super().__init__(setting, value, remedy)
        self.setting = setting
        self.value = value
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.setting} cannot be {self.value!r}: {self.remedy}"


class RuleError(ConfigurationError):
    """A rule of a `JsonAdapter` cannot be used.

    Attributes:
        index: the rule's position, from 0.
    """

    def __init__(self, index: int, rule: object, remedy: str) -> None:
        super().__init__(f"rules[{index}]", rule, remedy)
        self.index = index


class SecretError(ConfigurationError):
    """A token or key cannot be used, which is said without it.

    Attributes:
        value: what is wrong with it, in place of the secret; such as "is only 5 bytes long".
    """

    def __init__(self, setting: str, flaw: str, remedy: str) -> None:
        super().__init__(setting, flaw, remedy)

    def __str__(self) -> str:
        return f"{self.setting} {self.value}: {self.remedy}"


class MissingDependencyError(CopilotAnalyticsError, ImportError):
    """A package that an extra brings is not installed.

    Attributes:
        package: the package that could not be imported.
        extra: the extra that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, extra)
        self.package = package
        self.extra = extra

    def __str__(self) -> str:
        return (
            f"the package {self.package!r} is not installed: "
            f"run pip install 'copilot-analytics[{self.extra}]'"
        )


class QuestionError(CopilotAnalyticsError, ValueError):
    """A question cannot be answered as asked; its text may be shown to whoever asked.

    Attributes:
        argument: the argument at fault, in snake_case.
        value: its value.
        remedy: what to ask instead, as a sentence.
    """

    def __init__(self, argument: str, value: object, remedy: str) -> None:
        super().__init__(argument, value, remedy)
        self.argument = argument
        self.value = value
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.argument} cannot be {self.value!r}: {self.remedy}"


class StoreError(CopilotAnalyticsError):
    """The store could not do what was asked.

    Attributes:
        store: the store, as a URL without credentials.
        problem: what happened.
        remedy: what to do.
    """

    def __init__(self, store: str, problem: str, remedy: str) -> None:
        super().__init__(store, problem, remedy)
        self.store = store
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.store}: {self.problem}; {self.remedy}"


class StoreUnavailableError(StoreError):
    """The store cannot be reached or is busy; the same call may succeed later."""


class StoreSchemaError(StoreError):
    """The stored data is of a version that this code does not know."""


class RecorderClosedError(CopilotAnalyticsError):
    """An event was recorded after the recorder had been closed (raised in strict mode only)."""

    def __str__(self) -> str:
        return "the recorder is closed: record events before aclose()"
