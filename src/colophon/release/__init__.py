"""The release that is running: its passport and the task it runs in."""
