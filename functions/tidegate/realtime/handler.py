"""Lambda entry point."""

from tidegate_kit.http import lambda_app

from tidegate.realtime.routes import router
from tidegate.realtime.settings import RealtimeSettings

handler = lambda_app(router, RealtimeSettings)
