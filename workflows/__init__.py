"""The engine that the runbooks stand on: durable, deterministic, small."""
