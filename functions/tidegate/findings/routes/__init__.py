"""Routes of contract 2.10."""

from tidegate.findings.routes import findings
from tidegate.findings.routes.router import router

__all__ = ["findings", "router"]
