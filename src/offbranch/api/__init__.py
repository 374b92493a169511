"""What a user can do, one function per action: open the project, take the lock, call, return a record.

The command line calls exactly these. Locks are taken here and nowhere else, and held to the end.
"""
