"""One folder that installs Antiphon on a machine without a network."""
