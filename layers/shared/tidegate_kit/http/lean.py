"""Import FastAPI without what only OpenAPI documents and old models need.

FastAPI builds some sixty pydantic models of the OpenAPI format when it is imported, an eighth of a
cold start. They are built at first use instead: under `make openapi`, never on the request path.
Measured by tests/benchmarks.
"""

from __future__ import annotations

import sys
from typing import Any

from pydantic import BaseModel, ConfigDict


def import_fastapi() -> None:
    """Import fastapi with deferred models; nothing to do where it was imported before."""
    if "fastapi" in sys.modules:
        return
    config, rebuild = BaseModel.model_config, BaseModel.__dict__["model_rebuild"]

    def later(cls: type[BaseModel], /, **options: Any) -> bool | None:
        # FastAPI calls it bare, to build at once; pydantic with options, when a model is needed.
        return rebuild.__get__(None, cls)(**options) if options else None

    BaseModel.model_config = ConfigDict(defer_build=True)
    BaseModel.model_rebuild = classmethod(later)  # type: ignore[assignment, method-assign]
    try:
        import fastapi  # noqa: F401 - for its effect
    finally:
        BaseModel.model_config = config
        BaseModel.model_rebuild = rebuild  # type: ignore[method-assign]
    _spare_pydantic_v1()


def _spare_pydantic_v1() -> None:
    """Keep FastAPI from importing all of pydantic.v1 to ask whether a class is one of its models.

    None can be where pydantic.v1 was not imported.
    """
    from fastapi._compat import shared

    asked = shared.is_pydantic_v1_model_class

    def is_v1(cls: Any) -> bool:
        return "pydantic.v1" in sys.modules and asked(cls)

    shared.is_pydantic_v1_model_class = is_v1
