"""`{{path}}` templates: pure look-ups in plain JSON data (WF-4). Nothing is ever evaluated."""

from tidegate.workflows.templating.errors import MissingValueError, TemplateError
from tidegate.workflows.templating.masking import redact
from tidegate.workflows.templating.paths import (
    MISSING,
    BadTemplateError,
    Path,
    lookup,
    parse_path,
)
from tidegate.workflows.templating.render import Renderer, Scope
from tidegate.workflows.templating.scan import Found, find_templates, is_template, rooted

__all__ = [
    "MISSING",
    "BadTemplateError",
    "Found",
    "MissingValueError",
    "Path",
    "Renderer",
    "Scope",
    "TemplateError",
    "find_templates",
    "is_template",
    "lookup",
    "parse_path",
    "redact",
    "rooted",
]
