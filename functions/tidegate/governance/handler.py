"""Lambda entry point."""

from tidegate_kit.http import lambda_app

from tidegate.governance.routes import router
from tidegate.governance.settings import GovernanceSettings

handler = lambda_app(router, GovernanceSettings)
