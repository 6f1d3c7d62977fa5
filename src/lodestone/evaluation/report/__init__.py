"""Finished runs judged: figures of every asset, their summary, and a page that shows both."""
