import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.utils.Utils;

/** Reads a topic with Kafka's own client, and says what stands in it: `SERVER TOPIC COUNT`. */
public class ReadTopic {
    public static void main(String[] arguments) {
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", arguments[0],
            "key.deserializer", ByteArrayDeserializer.class,
            "value.deserializer", ByteArrayDeserializer.class);
        int left = Integer.parseInt(arguments[2]);
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
            var partitions = consumer.partitionsFor(arguments[1]).stream()
                .map(one -> new TopicPartition(one.topic(), one.partition()))
                .collect(Collectors.toList());
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            while (left > 0) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    say(record, partitions.size());
                    left--;
                }
            }
        }
    }

    /** One line: the partition, the one this client would choose, key, value, then the headers. */
    private static void say(ConsumerRecord<byte[], byte[]> record, int partitions) {
        StringBuilder line = new StringBuilder();
        line.append(record.partition()).append(' ');
        line.append(Utils.toPositive(Utils.murmur2(record.key())) % partitions).append(' ');
        line.append(encoded(record.key())).append(' ').append(encoded(record.value()));
        record.headers().forEach(one ->
            line.append(' ').append(encoded(one.key().getBytes(StandardCharsets.UTF_8)))
                .append('=').append(encoded(one.value())));
        System.out.println(line);
    }

    private static String encoded(byte[] octets) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(octets);
    }
}
