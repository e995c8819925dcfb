from tidegate_kit.http import lambda_app

from tidegate.monitoring.routes import router
from tidegate.monitoring.settings import MonitoringSettings

handler = lambda_app(router, MonitoringSettings)
