"""Variational information maximising exploration."""
