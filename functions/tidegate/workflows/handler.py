"""Lambda entry point."""

from tidegate_kit.http import lambda_app

from tidegate.workflows.routes import router
from tidegate.workflows.settings import TriggerSettings

handler = lambda_app(router, TriggerSettings)
