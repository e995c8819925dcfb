"""Lambda entry point of the pipeline routes."""

from tidegate_kit.http import lambda_app

from tidegate.pipelines.routes import router
from tidegate.pipelines.settings import PipelinesSettings

handler = lambda_app(router, PipelinesSettings)
