"""Health, the API's documents, and the answer to every unknown path (contract 2.7)."""
