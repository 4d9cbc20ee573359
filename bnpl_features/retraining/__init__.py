"""When models are trained again without anybody asking, and what becomes of the challenger."""
