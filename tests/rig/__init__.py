"""A cluster's node without a cluster: rendered pods run as real processes, one network namespace each.

`cluster.Cluster` takes what Helm rendered and does with it what controllers, kubelet and network plugin do:
containers by runc (own PID 1, read-only root, the pod's user, no capabilities, memory limits), Services by
address translation, names by a name server in a pod of its own, NetworkPolicies as firewall rules that count.
Kept small on purpose: what the chart does not use is refused where it is met, never ignored.
"""
