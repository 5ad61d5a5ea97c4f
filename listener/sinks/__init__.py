"""Where events go: MQTT, Prometheus, the console."""
