from tidegate_kit.http import lambda_app

from tidegate.identity.routes import router
from tidegate.identity.settings import IdentitySettings

handler = lambda_app(router, IdentitySettings)
