"""Routes of contract 2.4, one module per resource."""

from tidegate.integrations.routes import accounts, secrets, targets
from tidegate.integrations.routes.router import router
from tidegate.integrations.webhooks import routes as webhooks

__all__ = ["accounts", "router", "secrets", "targets", "webhooks"]
