"""The picture sets that priors learn from, and how they are trained."""
