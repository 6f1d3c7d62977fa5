"""The loop that turns an experiment into a finished scene and a run folder."""
