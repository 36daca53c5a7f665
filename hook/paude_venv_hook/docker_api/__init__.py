"""Docker's API and contexts: find its daemon, and ask it."""
