"""What a page or a command shows, as frozen dataclasses: no HTTP, no HTML, no terminal."""
