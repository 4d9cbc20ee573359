"""Settings -> the parts that they describe; what an extra installs is imported only where it is asked for."""
