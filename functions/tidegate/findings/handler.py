"""Lambda entry point."""

from tidegate_kit.http import lambda_app

from tidegate.findings.routes import router
from tidegate.findings.settings import FindingsHttpSettings

handler = lambda_app(router, FindingsHttpSettings)
