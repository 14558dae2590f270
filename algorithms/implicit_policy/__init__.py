"""Policies of known and of unknown density, and the methods they are compared with."""
