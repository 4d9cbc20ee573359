"""What other tools need to use these features as their own."""
