"""Ways to launch, one module each: it reads a launch in its own language, and writes the decision in that language."""
