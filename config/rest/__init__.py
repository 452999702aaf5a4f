"""What all of the REST API shares: problems, paging, bodies, conditions, descriptions. Its views are in the apps."""
