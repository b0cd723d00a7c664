"""What a probe asks a site, by the very calls and commands that everybody here uses. Reads only; nothing is judged."""
