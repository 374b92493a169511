"""What a task gets of a machine: slots, GPUs, processors, memory, and whose turn it is."""
