"""The command line: a table of commands, one small module per command, one console. It calls `api` and prints."""
