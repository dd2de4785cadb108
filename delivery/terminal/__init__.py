"""What a person at a terminal sees, and the programs that are run for them."""
