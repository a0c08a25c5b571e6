"""A package, so that what is started for it (`scope="package"`) ends with its last test and not with the run."""
