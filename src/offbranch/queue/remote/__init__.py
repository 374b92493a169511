"""The queue of several machines: the Git remote is the arbiter, a broker carries messages."""
