"""What the log and the journal say, for people. Reads only."""
