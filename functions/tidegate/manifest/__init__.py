"""What is derived from the route table: the OpenAPI document and the deployment check (GEN-2).

Imported by `tidegate.routers` alone, that is by development tools and tests, never by a function.
"""
