"""The commands, one module each: its words, its arguments, its examples, and what it does.

The name of a module is that of its command. It declares

- SUMMARY and EXAMPLES, for `--help` and the man page, and POSITION, its place in the list of commands there (None: it
  is for programs, and not listed);
- ARGUMENTS: flags and their argparse keywords (`command_line/options.py` has those that several commands share);
- Options: the values of the arguments, with their defaults;
- execute(options): runs the command and returns the exit code.
"""
