"""Every speed that the README states, measured against something else in the same run."""
