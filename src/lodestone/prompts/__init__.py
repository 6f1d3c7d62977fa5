"""Words into conditioning: prompts, view-dependent wording, text encoders, an on-disk cache of their results."""
