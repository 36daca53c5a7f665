"""Docker's API and contexts: where its daemon is, and what it answers."""
