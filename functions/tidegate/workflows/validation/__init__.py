"""All problems of a definition at once (WF-1), and of an input (WF-5)."""

from tidegate.workflows.validation.context import ValidationContext
from tidegate.workflows.validation.inputs import PreparedInput, prepare_input
from tidegate.workflows.validation.validate import Report, validate_definition

__all__ = [
    "PreparedInput",
    "Report",
    "ValidationContext",
    "prepare_input",
    "validate_definition",
]
