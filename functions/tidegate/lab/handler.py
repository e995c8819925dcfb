"""Lambda entry point."""

from tidegate_kit.http import lambda_app

from tidegate.lab.routes import router
from tidegate.lab.settings import LabSettings

handler = lambda_app(router, LabSettings)
