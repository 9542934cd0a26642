"""Steps 1 and 2: HTTP in. Verifies raw bytes before anything reads them; knows no handler."""
