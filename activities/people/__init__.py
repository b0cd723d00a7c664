"""Approvals, notices, and programs of the operator's own."""
