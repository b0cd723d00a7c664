"""The only imports of vendor SDKs. Each module maps its library's errors to the seven words in one function."""
