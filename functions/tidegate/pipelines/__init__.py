"""Pipelines: scheduled work of a tenant on its accounts, and the cost series they feed."""
