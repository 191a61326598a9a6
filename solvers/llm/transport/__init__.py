"""The road to a provider: HTTP and proxies, streamed replies, what a failure means, and how hard to press."""
