"""The menu's lines, a file each."""
