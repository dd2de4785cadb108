"""What is shipped: a commit, the evidence for it, its image."""
