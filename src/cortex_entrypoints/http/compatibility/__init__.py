"""What becomes of every parameter of every dialect, found out by asking the dialects' own bodies."""
