"""The report of a run, made from the lines of its audit record: what people read, and what its picture shows. Pure."""
