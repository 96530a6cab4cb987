"""Clusters: what a user says of one in a file, and the scripts that follow from it."""

from ninefold.clusters.files import find_cluster, list_clusters, read_cluster, spool_folder
from ninefold.clusters.settings import Cluster, QueueResources

__all__ = ["Cluster", "QueueResources", "find_cluster", "list_clusters", "read_cluster", "spool_folder"]
