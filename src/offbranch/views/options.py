"""What a user may ask of `exp show`: which revisions, which columns, in which order."""

from offbranch.base.records import record


@record
class ShowOptions:
    """The request; the defaults are those of the command line.

    Attributes:
        revs: Revisions to start from; HEAD when empty and none of the `all_*` is set.
        num: How many commits from each start on, along first parents; negative means all; None for one.
        only_changed: Leaves out columns that are the same in every row.
        drop, keep: Regular expressions matched at the start of column names; `keep` wins.
        param_deps: Only parameters that a stage depends on.
        sort_by: Column, as `name` or `path:name`; None keeps the order of time.
        sort_order: `asc` or `desc`.
        sha: Names revisions by their id also where they have a name.
        queued: Only experiments that run or wait in the queue.
        precision: Significant digits of numbers in tables; None for 5.
        force: Reads every revision anew instead of using what was remembered.
        include_params, include_metrics: Only these columns (`name` or `path:name`, also the head of dotted names).
        hide_rewritten: Leaves out experiments whose baseline no branch or tag reaches.
        where: Only experiments for which this expression holds (`views/where.py`).
        tags: Only experiments that have all of these tags.
        best: Only so many experiments, by `by`.
        by: The metric or parameter that says what is best; higher is better.
        minimize: Lower is better.
        checkpoints: In tables, a row for each commit of a chain.
        counts: In tables, a column that counts the checkpoints of each experiment, where there are any; DVC has no such column.
        whole_chains: Everything of each commit of a chain, not only of its tip; tables need it with `checkpoints` alone.
    """

    revs: tuple[str, ...] = ()
    num: int | None = None
    all_branches: bool = False
    all_tags: bool = False
    all_commits: bool = False
    only_changed: bool = False
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    param_deps: bool = False
    sort_by: str | None = None
    sort_order: str = "asc"
    sha: bool = False
    hide_failed: bool = False
    hide_queued: bool = False
    hide_workspace: bool = False
    queued: bool = False
    precision: int | None = None
    force: bool = False
    include_params: tuple[str, ...] = ()
    include_metrics: tuple[str, ...] = ()
    hide_rewritten: bool = False
    where: str | None = None
    tags: tuple[str, ...] = ()
    best: int | None = None
    by: str | None = None
    minimize: bool = False
    checkpoints: bool = False
    counts: bool = False
    whole_chains: bool = True

    @property
    def has_filter(self) -> bool:
        """Not all experiments of the revisions are wanted."""
        return bool(self.tags or self.minimize) or not (self.where is None and self.best is None and self.by is None)

    @property
    def counts_all(self) -> bool:
        """The commits of every chain are counted, also of those that say nothing of checkpoints."""
        return self.counts or self.checkpoints

    @property
    def names_revisions(self) -> bool:
        """The user said which revisions: nothing else is shown."""
        return bool(self.revs or self.num is not None or self.all_branches or self.all_tags)
