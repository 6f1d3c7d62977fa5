"""Contracts, small models and checks that users can import for their own estimators, priors and scenes."""
