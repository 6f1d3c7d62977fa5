"""Lodestone: text-to-3D by score distillation.

Words or a picture go in; a 3D asset comes out, shaped by the score of a frozen diffusion model.
The sub-packages follow the data: `prompts`, `priors`, `distillation`, `scenes` and `rendering`, `optimize`, `export`.
"""

__version__ = "0.1.0"
