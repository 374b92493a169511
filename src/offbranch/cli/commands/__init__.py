"""One module per command: its docstring is the long help, `EXAMPLES`, `add_arguments(parser)`, `run(args, console)`."""
