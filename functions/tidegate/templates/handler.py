"""Lambda entry point."""

from tidegate_kit.http import lambda_app

from tidegate.templates.routes import router
from tidegate.templates.settings import TemplatesSettings

handler = lambda_app(router, TemplatesSettings)
