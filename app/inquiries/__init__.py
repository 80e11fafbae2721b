"""One-click queries 一键查询 over all datasets, each on record with its purpose."""
