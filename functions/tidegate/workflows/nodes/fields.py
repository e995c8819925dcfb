"""Field types of node data. Before a run, a field of any type may be one whole-string template."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core.core_schema import ValidationInfo

from tidegate.workflows.templating import is_template

# Validation context of data whose templates are filled: what looks like one then is plain text.
RESOLVED: Final = {"resolved": True}


def _open(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    resolved = bool(info.context and info.context.get("resolved"))
    if isinstance(value, str) and not resolved and is_template(value):
        return value
    return handler(value)


# Marks a field that may be a template until the step runs; it is checked again then.
OPEN: Final = WrapValidator(_open)

ShortText = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
LongText = Annotated[str, Field(min_length=1, max_length=100_000)]
JsonMap = Annotated[dict[str, Any], OPEN]
TextMap = Annotated[dict[str, Annotated[str, Field(max_length=8192)]], OPEN]
Address = Annotated[str, Field(min_length=3, max_length=2000)]
Addresses = Annotated[Address | Annotated[list[Address], Field(min_length=1, max_length=50)], OPEN]
