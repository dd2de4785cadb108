"""The release: a commit, the evidence for it, its passport and its image."""
