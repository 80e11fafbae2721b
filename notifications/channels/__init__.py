"""One module for each provider; each offers a class with `name` and `send(Message) -> Receipt`."""
