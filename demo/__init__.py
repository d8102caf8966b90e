"""What Oturum does, to be seen in a few minutes without a phone."""
