"""In the way of scikit-learn: a service is installed without it, and without it LightGBM is imported twice as fast."""

raise ImportError("scikit-learn is not part of the extra `scoring`")
