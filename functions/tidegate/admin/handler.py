"""Lambda entry point."""

from tidegate_kit.http import lambda_app

from tidegate.admin.routes import router
from tidegate.admin.settings import AdminSettings

handler = lambda_app(router, AdminSettings)
