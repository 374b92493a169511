"""Experiments that wait to be run: their records in Git, adding to them, and running them."""
