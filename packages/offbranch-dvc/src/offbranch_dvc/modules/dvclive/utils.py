"""`dvclive.utils`."""

from offbranch.live.frameworks.names import metric_name


def standardize_metric_name(metric_name_in_library: str, framework: str) -> str:
    """Returns the name that a metric of a library has: `eval_loss`, `dvclive.huggingface` becomes `eval/loss`."""
    return metric_name(metric_name_in_library, framework)
