"""The ground floor: errors, paths, files, locks, events, configuration. Imports nothing else of ours."""
