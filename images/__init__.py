"""The container images: one Dockerfile each, the packages in them, and what builds them."""
