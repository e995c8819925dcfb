"""Lambda entry point."""

from tidegate_kit.http import lambda_app

from tidegate.calendar.routes import router
from tidegate.calendar.settings import CalendarSettings

handler = lambda_app(router, CalendarSettings)
