"""The command line: the arguments that a command declares, and the parser made from them."""
