"""Storage of governance: one module per kind of record, each with an in-memory twin in tests."""
