"""`dvclive.plots`: what third-party code asks before it logs a value."""

from offbranch.live.values import is_metric


class Metric:
    """A metric."""

    @staticmethod
    def could_log(val: object) -> bool:
        """Tells whether a value can be logged as a metric."""
        return is_metric(val)
