"""The vocabulary: what an event is, what its types are called, and how its data is read.

Nothing here does I/O or knows asyncio.
"""
