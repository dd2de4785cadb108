"""Access for programs that write: their tokens, their rate limits and their repeated requests."""
