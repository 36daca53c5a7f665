"""The proxy before Docker's socket: from `listener`, which takes clients, down to `framing`, where a message ends."""
