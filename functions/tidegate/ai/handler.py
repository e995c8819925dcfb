"""Lambda entry point of the AI routes."""

from tidegate_kit.http import lambda_app

from tidegate.ai.routes import router
from tidegate.ai.settings import AiSettings

handler = lambda_app(router, AiSettings)
