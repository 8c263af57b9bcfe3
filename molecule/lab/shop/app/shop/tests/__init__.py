"""Tests of the shop; they run inside its image: see README.md beside the Dockerfile."""
