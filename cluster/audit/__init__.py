"""The audit record of a run: its lines, how they are chained, and what they prove. Pure."""
