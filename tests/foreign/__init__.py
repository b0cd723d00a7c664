"""Receivers of traces that are not ours: an OpenTelemetry Collector, and Zipkin with its page."""
