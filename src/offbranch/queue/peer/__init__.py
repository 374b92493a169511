"""DVC's own queue: read, shown, and taken over."""
