"""Items of the table `templates`.

- head        pk T#<tid> | PLATFORM#TEMPLATES   sk TEMPLATE#<id>
- definition  same pk                           sk DEFINITION#<id>   (kept apart: lists stay small)

The parameters (template_parameters) are part of the head, so that both change together.
"""

from __future__ import annotations

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
)
from tidegate_kit.dynamo import Table

TABLE = "templates"


class TemplatesTable(Table):
    """Every item of the table."""

    class Meta:
        table_name = TABLE


class TemplateItem(TemplatesTable):
    """A template without its definition."""

    id = UnicodeAttribute()
    name = UnicodeAttribute()
    description = UnicodeAttribute()
    category = UnicodeAttribute()
    is_active = BooleanAttribute(default=True)
    parameters = JSONAttribute()
    usage_count = NumberAttribute(default=0)


class DefinitionItem(TemplatesTable):
    """The node/edge graph of a template."""

    definition = JSONAttribute()
