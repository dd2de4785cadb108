"""Books from and to files, any number of them: CSV for spreadsheets, JSON Lines for programs."""
