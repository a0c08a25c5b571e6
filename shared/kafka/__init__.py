"""The only room that knows a Kafka client: topics, the producer of the relay, the consumer of a service."""

from shared.kafka.connections import closed_ones_are_connection_errors
from shared.kafka.consumer import Consumer
from shared.kafka.fetched import fetches_are_read_in_one_go
from shared.kafka.producer import Producer, SendError
from shared.kafka.topics import create_topics, missing_topics

__all__ = ["Consumer", "Producer", "SendError", "create_topics", "missing_topics"]

closed_ones_are_connection_errors()
fetches_are_read_in_one_go()
