"""From a command's text to a model. Pure: these modules neither run commands nor judge what they read.

The traps they know are listed in the host-outputs reference; each parser raises ValueError on text it cannot read.
"""
