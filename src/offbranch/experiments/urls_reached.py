"""Asking a server what is at a url that a stage reads or writes, and removing it. Each question opens the url anew: a stage
has few of them, and its command runs in between.
"""

from contextlib import closing

from offbranch.base.errors import NotFoundError
from offbranch.base.events import Reporter
from offbranch.project import Project
from offbranch.storage.external import hash_external, is_tagged, look_at, tag_of
from offbranch.storage.objects import Content, Tag
from offbranch.storage.remote_files import RemoteFiles, open_files
from offbranch.storage.remote_setting import resolve_url
from offbranch.storage.retry import with_retries


def look(project: Project, url: str, reporter: Reporter) -> Content | Tag | None:
    """Returns what is at a url; content of a server that has no tags is read and hashed. None where nothing is.

    Raises:
        RemoteError: The server cannot be asked.
    """
    with closing(_open(project, url)) as files:
        try:
            external = look_at(files)
        except NotFoundError:
            return None
        if is_tagged(files):
            return tag_of(files, external)
        return hash_external(files, external, jobs=None, reporter=reporter)


def remove(project: Project, url: str) -> None:
    """Removes the file or directory at a url; nothing there is no error.

    Raises:
        RemoteError: The server refuses.
    """
    with closing(_open(project, url)) as files:
        try:
            external = look_at(files)
        except NotFoundError:
            return
        with_retries(lambda: files.remove([file.key for file in external.files]))


def _open(project: Project, url: str) -> RemoteFiles:
    return open_files(resolve_url(project.config, url, root=project.root, base=project.root))
