"""The nodes' management controllers."""
