"""The logger for training programs: it runs inside them, writes plain files, and asks `ob` for whatever needs Git.

Nothing heavy is imported here, for a training program pays for every import (docs/formats/live.md).
"""
