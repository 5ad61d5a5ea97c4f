"""The one MQTT connection of a station, and its topics."""
