"""Clusters: a local one of several nodes, and experiments submitted to any as Ray jobs.

This package imports ``expedition.platform``, which knows nothing of it: the command line finds the
commands in `expedition.cluster.cli` through the entry point group ``expedition.commands``.
"""
