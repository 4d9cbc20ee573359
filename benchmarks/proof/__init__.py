"""The load proof: a steady rate of predictions while what happens in production happens, each answer checked."""
