"""The durable log: every event that was acknowledged, in order. It never looks into the data."""
