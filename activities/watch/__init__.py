"""Looking at the whole cluster: the watch, the quarantine of a site, what a survivor has left."""
