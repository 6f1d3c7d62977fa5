"""What is optimized: scenes that render themselves from given cameras."""
