"""The documentation, and what writes the part of it that says what the code says."""
