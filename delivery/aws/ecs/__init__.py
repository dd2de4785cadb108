"""ECS: where the site's tasks run."""
