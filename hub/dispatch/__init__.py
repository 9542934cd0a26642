"""Steps 4 and 5: which handlers want an event, and running them. Names no outside system."""
