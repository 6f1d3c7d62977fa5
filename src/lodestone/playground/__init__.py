"""The two-dimensional playground: what a run of flat particles leaves behind, and several estimators side by side."""
