"""Lambda entry point of the onboarding routes."""

from tidegate_kit.http import lambda_app

from tidegate.onboarding.routes import router
from tidegate.onboarding.settings import OnboardingSettings

handler = lambda_app(router, OnboardingSettings)
