"""How a scene is seen: cameras, backgrounds, the rendering that a scene gives."""
