"""Videos -> features in shards: in processes that may die, resumed where it was killed."""
