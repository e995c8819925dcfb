from tidegate_kit.http import lambda_app

from tidegate.accounts.routes import router
from tidegate.accounts.settings import AccountsSettings

handler = lambda_app(router, AccountsSettings)
