"""The decisions of the workflows domain."""
