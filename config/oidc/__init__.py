"""Sign-in by OpenID Connect: `provider` speaks with the provider, `people` lets somebody in, `views` are two addresses.

Of allauth only its OAuth client, its states and its table of accounts are used; none of its pages has an address.
"""
