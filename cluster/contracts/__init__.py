"""What workflows and activities have in common: for each system the models that pass between them, and the activities.

All of it is pure. It is the only thing of the activities that runbooks and their engine import.
"""
