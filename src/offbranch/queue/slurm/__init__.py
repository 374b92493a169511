"""The queue in SLURM: options, hand-over, records, and what SLURM says of jobs."""
