"""Lambda entry point."""

from tidegate_kit.http import lambda_app

from tidegate.findings.routes import router
from tidegate.findings.settings import FindingsSettings

handler = lambda_app(router, FindingsSettings)
