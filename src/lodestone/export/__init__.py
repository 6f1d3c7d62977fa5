"""What a user keeps: splat files that open upright everywhere, pictures to judge a scene by, and a turntable."""
