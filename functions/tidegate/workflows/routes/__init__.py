"""Routes of contract 2.5, one module per resource."""

from tidegate.workflows.routes import (
    executions,
    graphs,
    hooks,
    logs,
    resume,
    schedule,
    versions,
    workflows,
)
from tidegate.workflows.routes.router import router

__all__ = [
    "executions",
    "graphs",
    "hooks",
    "logs",
    "resume",
    "router",
    "schedule",
    "versions",
    "workflows",
]
