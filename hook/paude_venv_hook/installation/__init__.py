"""What an installation makes, so that unchanged launches are shadowed, and what covers them now."""
