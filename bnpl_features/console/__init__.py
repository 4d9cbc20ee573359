"""The console: what operators see and do, in a browser; the command line prints the same figures."""
