"""Running Antiphon outside of a checkout: images, compose, Kubernetes, dashboards, and their tests."""
