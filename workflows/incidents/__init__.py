"""The parts of a run that stays with an incident: its clock, its watch, its looks, what it tells and asks."""
