"""Import and export of books: CSV for spreadsheets, JSON Lines for programs."""
