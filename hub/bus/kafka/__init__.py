"""The log on Kafka. The only package that imports aiokafka, whose errors stop here.

Events are CloudEvents in binary mode, so whatever reads Kafka can read them:
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md.
"""

from hub.bus.kafka.bus import KafkaBus

__all__ = ["KafkaBus"]
