"""The worker: runbooks and activities of one cluster."""
