"""AWS: a target of deployments, and what stands around it there."""
