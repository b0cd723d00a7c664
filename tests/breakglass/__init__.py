"""Break-glass runbooks on the twin: each heals the emergency it is for, and refuses all others."""
