"""Callbacks for training libraries, one module each, with the names, arguments and files of DVCLive.

A module here imports its library when it is loaded, so only programs that have the library load it; nothing else of ours may.
All take an open `Live` as `live`, or the arguments of one. Each ends a step of `Live` where the library ends one of its own,
which in an experiment run asks for a checkpoint.
"""
