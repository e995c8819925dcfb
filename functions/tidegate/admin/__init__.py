"""Administration of the platform: users, tenants, configuration, self-test (contract 2.15)."""
