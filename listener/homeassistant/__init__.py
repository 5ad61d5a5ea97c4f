"""What Home Assistant is told of a station: devices and entities, by MQTT discovery."""
