"""Reports as people get them: one HTML page with the timeline as a picture, Markdown, JSON."""
