"""Schedule expressions: the kit's."""

from tidegate_kit.cron import BadExpression, Cron, Rate, parse

__all__ = ["BadExpression", "Cron", "Rate", "parse"]
