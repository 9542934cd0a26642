"""What the hub decided and did: runs, their attempts and steps, waits, dead letters, records.

A restart forgets nothing that stands here, and a count never starts again.
"""
