"""What the hub says of itself: logs and metrics. No secret passes."""
