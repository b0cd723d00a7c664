"""Clusters of other shapes than the article's: each is built, loses a site, and gets its guests home."""
