"""One module a way to launch: what it is told, in the place where it looks for it."""
