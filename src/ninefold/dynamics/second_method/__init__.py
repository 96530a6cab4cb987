"""Single points by a second method on images of paths and frames of runs."""
