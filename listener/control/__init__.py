"""Commands to a running station, over MQTT and HTTP."""
