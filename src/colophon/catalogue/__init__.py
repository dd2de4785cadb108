"""The catalogue: books with their authors and subjects, read, searched and changed."""
