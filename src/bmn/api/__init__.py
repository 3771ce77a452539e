"""HTTP: makers submit orders and hand over secrets; everybody reads."""
