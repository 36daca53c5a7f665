"""What an engine understands: its arguments, its command line, its mounts, and which program it is."""
