"""A stand-in for the shared package: what a function finds on its path comes from a layer."""

NAME = "sample kit"
