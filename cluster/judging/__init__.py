"""What each part of a stretched cluster shows of itself, as conditions: `cluster.verdict` puts them together. Pure."""
