"""One module for each verb that needs several packages."""
