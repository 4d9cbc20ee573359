"""What a page shows, as frozen dataclasses: no HTTP, no HTML. The command line prints the same."""
