"""A station in Home Assistant: devices and entities, by MQTT discovery."""
