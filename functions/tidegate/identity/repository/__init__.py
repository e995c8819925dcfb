"""Everything this domain reads and writes in the table `identity`, one module per subject.

Each module holds a Protocol and its DynamoDB form; the in-memory twins are in tests/fakes.
"""
