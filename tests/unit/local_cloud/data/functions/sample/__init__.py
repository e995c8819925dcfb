"""Functions of the fixture application."""
