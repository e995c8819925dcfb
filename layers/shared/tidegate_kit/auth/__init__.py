"""Authentication and authorisation: principals, permissions, tokens (contract 2.1)."""
