"""The settings as types. Importing the parts of this package costs time (pydantic): commands do it when they must."""
