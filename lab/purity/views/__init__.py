"""What an array tells of itself."""
