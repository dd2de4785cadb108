"""The terminal: a deployment's display, and the commands that steps run."""
