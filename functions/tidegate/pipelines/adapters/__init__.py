"""The ports of the stages on this deployment."""
