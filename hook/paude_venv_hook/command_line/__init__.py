"""What a command line says: the arguments that a command declares, and the parser made from them."""
