"""What can go wrong when templates are filled. Messages name paths, never values."""

from __future__ import annotations


class TemplateError(Exception):
    """A template cannot be filled; fails the step with `code`."""

    code = "TEMPLATE_ERROR"

    def __init__(self, message: str, code: str | None = None) -> None:
        self.code = code or type(self).code
        self.message = message
        super().__init__(message)


class MissingValueError(TemplateError):
    """A path leads nowhere (WF-5)."""

    code = "MISSING_VALUE"

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"There is no value at '{path}'.")


class ExpansionError(TemplateError):
    """The filled text would pass the declared size (E6)."""

    code = "OUTPUT_TOO_LARGE"
