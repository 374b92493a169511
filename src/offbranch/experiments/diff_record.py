"""The records of comparisons: of two sides value by value, and of many in one table; and what is asked of them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from offbranch.base.notebook import html_table
from offbranch.base.paths import GitPath
from offbranch.base.records import record
from offbranch.params.lookup import MISSING


@record
class DiffOptions:
    """What is compared.

    Attributes:
        all_values: Lists what is the same, too.
        param_deps: Only parameters that a stage depends on.
        deps, outs, environment, code: These sections too.
        color: The patch of the code is for a terminal.
        stat_width: Columns for a summary in place of the patch, 0 for Git's own width; None for the patch.
    """

    all_values: bool = False
    param_deps: bool = False
    deps: bool = False
    outs: bool = False
    environment: bool = False
    code: bool = False
    color: bool = False
    stat_width: int | None = None


@record
class Change:
    """One value in both revisions.

    Attributes:
        old, new: None where there is none; a list as text.
        difference: `new - old` where both are numbers.
    """

    old: Any
    new: Any
    difference: float | None


Changes = Mapping[str, Mapping[str, Change]]


@record
class CodeFile:
    """A file under version control that differs.

    Attributes:
        path: In the repository.
        status: `A` added, `M` modified, `D` deleted, `T` another type.
        added, deleted: Lines; None for a binary file.
        is_code: Its lines are in the patch; otherwise it is binary, or shown as data, parameters or metrics.
    """

    path: GitPath
    status: str
    added: int | None
    deleted: int | None
    is_code: bool


@record
class CodeDiff:
    """How code differs.

    Attributes:
        files: All files that differ, in path order.
        patch: Unified diff of the code among them, or Git's summary of all of them.
        is_summary: It is the summary.
    """

    files: tuple[CodeFile, ...]
    patch: str
    is_summary: bool = False


@record
class ExperimentDiff:
    """What differs, by file and dotted name; files in the order of the revisions, names sorted.

    Attributes:
        old_name, new_name: The revisions as the user named them.
        deps, outs: By path: `hash`, `size` and `nfiles`. None if not asked for, as the two below.
        environment: By group: `commit`, `run`, `commands`, `system`, `packages`, and each requirement file.
        code: Of everything Git tracks.
    """

    old_name: str
    new_name: str
    metrics: Changes
    params: Changes
    deps: Changes | None = None
    outs: Changes | None = None
    environment: Changes | None = None
    code: CodeDiff | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing that was asked for differs."""
        values = (self.metrics, self.params, self.deps, self.outs, self.environment)
        return not any(values) and not (self.code and self.code.files)

    def _repr_html_(self) -> str:
        """Returns a table for notebooks: what differs, in all sections, and the files of the code."""
        sections = (self.metrics, self.params, self.deps, self.outs, self.environment)
        table = changes_html((self.old_name, self.new_name), [each for each in sections if each is not None])
        if self.code is None:
            return table
        files = [(each.status, each.path, each.added, each.deleted) for each in self.code.files]
        return table + html_table(("", "Code", "+", "-"), files)


def changes_html(names: tuple[str, str], sections: Iterable[Changes]) -> str:
    """Returns a table for notebooks: a row for each value that differs."""
    rows = [
        (path, name, change.old, change.new, change.difference)
        for section in sections
        for path, changes in section.items()
        for name, change in changes.items()
    ]
    return html_table(("Path", "Name", *names, "Change"), rows)


class _Unreadable:
    def __repr__(self) -> str:
        return "UNREADABLE"


# In place of the values of a file that is there and cannot be understood.
UNREADABLE: Final = _Unreadable()
SECTIONS: Final = ("params", "metrics", "deps", "outs", "env", "code")


@record
class CompareOptions:
    """What of the sides is compared.

    Attributes:
        sections: Some of `SECTIONS`, in the order they are shown.
        param_deps: Only parameters that a stage depends on.
    """

    sections: tuple[str, ...] = SECTIONS
    param_deps: bool = False


@record
class ComparedRow:
    """One value on all sides.

    Attributes:
        section: `params`, `metrics`, `deps`, `outs`, `env` or `code`.
        path: File, output or group that it belongs to.
        name: Dotted name in there.
        values: One for each side, `MISSING` where there is none, `UNREADABLE` where its file cannot be understood.
        differs: Whether they are not all the same.
    """

    section: str
    path: str
    name: str
    values: tuple[Any, ...]
    differs: bool


@record
class ComparedSide:
    """A column of the table.

    Attributes:
        name: As the user named it.
        commit: Full id; None for the workspace.
        state: Of an attempt that did not become an experiment: `failed`, `running` and so on.
        errors: File that cannot be understood -> why.
    """

    name: str
    commit: str | None
    state: str | None
    errors: Mapping[str, str]


@record
class Comparison:
    """Many sides in one table.

    Attributes:
        sides: The columns.
        rows: Section by section, in each those that differ first.
    """

    sides: tuple[ComparedSide, ...]
    rows: tuple[ComparedRow, ...]

    def _repr_html_(self) -> str:
        """Returns a table for notebooks: rows that differ are bold, others are there, too."""
        heads = (side.name if side.state is None else f"{side.name} ({side.state})" for side in self.sides)
        rows = [(each.section, each.path, each.name, *map(_shown, each.values)) for each in self.rows]
        differing = [n for n, each in enumerate(self.rows) if each.differs]
        return html_table(("", "Path", "Name", *heads), rows, bold=differing)


def _shown(value: Any) -> Any:
    return None if value is MISSING else "!" if value is UNREADABLE else value
