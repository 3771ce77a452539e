"""Clients of our services, for other programs and for the maker tools."""
