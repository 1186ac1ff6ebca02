"""The app: pages in the browser, clients of the `Enhancer` and of the command line."""
