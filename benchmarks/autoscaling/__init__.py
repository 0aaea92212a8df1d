"""Autoscaling, simulated: the control loop of Kubernetes over a model of the service."""
