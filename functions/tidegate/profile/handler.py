"""Lambda entry point."""

from tidegate_kit.http import lambda_app

from tidegate.profile.routes import router
from tidegate.profile.settings import ProfileSettings

handler = lambda_app(router, ProfileSettings)
