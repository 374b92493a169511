"""Everything Git, through the `git` program (2.36 or newer): the user's index, HEAD and stash are never written."""
