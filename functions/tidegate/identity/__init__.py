"""Identity: registration, login, sessions, members, invitations, signing keys (contract 2.1)."""
