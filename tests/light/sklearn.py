"""In the way of scikit-learn: a service is installed without it, and LightGBM, which imports it, starts twice as fast."""

raise ImportError("scikit-learn is not part of the extra `scoring`")
