"""Local servers that behave as X, Instagram and a mail server are documented to."""
