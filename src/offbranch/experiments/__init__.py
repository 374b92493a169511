"""Experiments: commits under refs/exps that carry code, parameters, metrics and outputs. Does not know the queue."""
