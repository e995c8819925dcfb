"""The part of JSON Schema that inputs and model answers are checked by: the kit's."""

from tidegate_kit.json_schema import InputProblem, apply_schema, schema_problems

__all__ = ["InputProblem", "apply_schema", "schema_problems"]
