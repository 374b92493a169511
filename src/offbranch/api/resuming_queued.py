"""`ob exp run --resume NAME --queue`: experiments that go on from a checkpoint when it is their turn."""

from offbranch.api.queue import Queued, refuse_too_many
from offbranch.api.resuming import open_resumption, tell
from offbranch.api.run_request import RunRequest
from offbranch.api.session import Session, need_git
from offbranch.base.made_up_names import Chooser
from offbranch.base.paths import AbsPath, relative_to
from offbranch.base.records import replace
from offbranch.experiments.checkpoint_policy import checkpoint_policy
from offbranch.params.sweep import grid_of, trials
from offbranch.project import Project
from offbranch.queue.events import SweepPlanned
from offbranch.queue.submit import Names, Wish, choose_names, plan_submission, write_submission


def submit_resumed(
    request: RunRequest, session: Session, project: Project, wish: Wish, max_trials: int, rng: Chooser
) -> Queued:
    """Queues what goes on from a checkpoint: the same experiment, or a new one for each trial.

    Raises:
        OffbranchError: As for one that runs at once; nothing has been changed.
    """
    repo = need_git(project)
    with open_resumption(request, project, session, wish.options.select.cwd, here=False) as resumption:
        source, asked = resumption.source, resumption.request
        spec = replace(
            wish.spec,
            baseline=source.baseline,
            hydra=None,
            resumed=source.commit,
            force=source.takes_name if resumption.is_same else request.force,
            targets=asked.targets,
            message=asked.message,
            checkpoints=checkpoint_policy(project.config, asked.checkpoint, asked.keep_checkpoints),
        )
        copies = tuple(inside for path in asked.copy_paths if (inside := relative_to(AbsPath(path), project.root)))
        wish = replace(
            wish, spec=spec, options=replace(wish.options, select=asked.select), copy_paths=wish.copy_paths or copies
        )
        grid = grid_of(resumption.overrides)
        refuse_too_many(grid, max_trials)
        if resumption.is_same:
            names = Names(names=(source.name,))
        else:
            names = choose_names(project, repo, spec, grid.n_trials, rng, numbered=grid.is_sweep)
        if grid.is_sweep:
            session.reporter.emit(SweepPlanned(grid=grid))
        files, tree = resumption.resumed.files, resumption.resumed.tree
        planned = plan_submission(project, wish, names, trials(resumption.overrides), session.reporter, files)
        stored = () if request.dry else write_submission(project, repo, planned, tree)
        tell(resumption, names.names, session)
    replaced = tuple(each.name for each in planned.replaced)
    return Queued(tasks=planned.tasks, stored=stored, grid=grid, replaced=replaced)
