"""What the project tells about itself: metrics declared once, and spans."""
