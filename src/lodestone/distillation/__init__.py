"""Estimators of the gradient that a frozen denoiser gives to a picture; one file for each published method."""
