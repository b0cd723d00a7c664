"""The domain: nouns and pure decisions.

Nothing here touches the world; the only import from outside is pydantic.
"""
