"""How one thing is done: the Activity Store, connections, secrets and the pipeline engines behind them."""
