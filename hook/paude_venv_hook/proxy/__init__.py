"""The proxy in front of Docker's socket: from `listener`, which takes clients, down to `framing`, which parses HTTP."""
