"""Shared kit of every Tidegate function: a Lambda layer and an editable package alike."""
