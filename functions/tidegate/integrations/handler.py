"""Lambda entry point."""

from tidegate_kit.http import lambda_app

from tidegate.integrations.routes import router
from tidegate.integrations.settings import IntegrationsSettings

handler = lambda_app(router, IntegrationsSettings)
