"""A procedural world of textured 3D objects with captions, known from every viewpoint."""
