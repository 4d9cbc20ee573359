"""Purchase events -> velocity features, within milliseconds (docs/streaming.md)."""
