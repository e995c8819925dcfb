"""Routes of contract 2.11, one module per resource."""

from tidegate.governance.routes import approvals, audit, decisions, policies
from tidegate.governance.routes.router import router

__all__ = ["approvals", "audit", "decisions", "policies", "router"]
