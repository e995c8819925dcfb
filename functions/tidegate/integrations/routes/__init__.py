"""Routes of contract 2.4, one module per resource."""

from tidegate.integrations.routes import accounts, communications, health, secrets, targets
from tidegate.integrations.routes.router import router
from tidegate.integrations.webhooks import routes as webhooks

__all__ = ["accounts", "communications", "health", "router", "secrets", "targets", "webhooks"]
