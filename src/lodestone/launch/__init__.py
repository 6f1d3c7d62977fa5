"""Configurations of threestudio, the framework of many published systems, as experiments of this library."""
