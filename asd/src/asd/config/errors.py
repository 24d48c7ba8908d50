"""What can go wrong with a configuration: in a file, and in a change at run time."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen


@frozen
class Problem:
    """One thing wrong, or worth knowing, at one place of a configuration file."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class ConfigFileError(Exception):
    """The file cannot be used; `problems` names everything wrong in it, by line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SetConfigError(Exception):
    """A change at run time that was refused; the configuration is as it was."""


class UnknownContextError(SetConfigError):
    """There is no such context."""


class MissingNamespaceError(SetConfigError):
    """The context is `namespace` and no namespace was named."""


class UnknownNamespaceError(SetConfigError):
    """The node has no namespace of that name."""


class InvalidParameterError(SetConfigError):
    """No such parameter in the context, one that is fixed at start, or a value out of range."""


class EnterpriseOnlyError(SetConfigError):
    """The context or the parameter belongs to the enterprise edition."""
