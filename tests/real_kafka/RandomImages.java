import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metadata.FeatureLevelRecord;
import org.apache.kafka.common.metadata.MetadataRecordType;
import org.apache.kafka.common.metadata.RemoveTopicRecord;
import org.apache.kafka.common.metadata.RemoveUserScramCredentialRecord;
import org.apache.kafka.common.metadata.TopicRecord;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.image.MetadataDelta;
import org.apache.kafka.image.MetadataImage;
import org.apache.kafka.image.MetadataProvenance;
import org.apache.kafka.image.writer.ImageWriterOptions;
import org.apache.kafka.image.writer.RecordListWriter;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;
import org.apache.kafka.server.common.MetadataVersion;

/**
 * Random metadata records that a release can replay, and the snapshot that it writes of the image they add up to.
 *
 * Arguments: seed, images, records each. An image is lines of `record HEX` and `snapshot HEX`, and `end`.
 */
public class RandomImages {
    static Random random;
    static int turn;
    static final List<Uuid> IDS = new ArrayList<>();
    static final MetadataVersion NEWEST = MetadataVersion.latestTesting();

    public static void main(String[] words) throws Exception {
        random = new Random(Long.parseLong(words[0]));
        RandomMessages.random = random;
        RandomMessages.special = RandomImages::special;
        for (int i = 0; i < 4; i++)
            IDS.add(new Uuid(random.nextLong() | 1L << 62, random.nextLong()));
        for (int i = Integer.parseInt(words[1]); i > 0; i--) {
            one(Integer.parseInt(words[2]));
            System.out.println("end");
        }
    }

    static void one(int count) throws Exception {
        MetadataImage image = MetadataImage.EMPTY;
        List<ApiMessageAndVersion> delta = new ArrayList<>();
        for (ApiMessageAndVersion record : new ApiMessageAndVersion[] {level("metadata.version", NEWEST.featureLevel()), level("eligible.leader.replicas.version", (short) 1)}) {
            delta.add(record);
            show("record", record);
        }
        MetadataImage next = replayed(image, delta);
        boolean ended = false;
        for (int taken = 0; taken < count; ) {
            // Some records share a delta: the brokers make one of each batch that they fetch.
            if (ended || random.nextInt(3) == 0) {
                image = next;
                delta.clear();
            }
            ApiMessageAndVersion record = record(next);
            delta.add(record);
            try {
                next = replayed(image, delta);
            } catch (RuntimeException e) {
                delta.remove(delta.size() - 1);
                continue;
            }
            show("record", record);
            // In the same delta a change would bring the topic back, and another user would be lost with the last one of a mechanism.
            ended = record.message() instanceof RemoveTopicRecord || record.message() instanceof RemoveUserScramCredentialRecord;
            taken++;
        }
        RecordListWriter writer = new RecordListWriter();
        next.write(writer, new ImageWriterOptions.Builder(next).build());
        for (ApiMessageAndVersion record : writer.records())
            show("snapshot", record);
    }

    static ApiMessageAndVersion level(String feature, short level) {
        return new ApiMessageAndVersion(new FeatureLevelRecord().setName(feature).setFeatureLevel(level), (short) 0);
    }

    static MetadataImage replayed(MetadataImage image, List<ApiMessageAndVersion> records) {
        MetadataDelta delta = new MetadataDelta.Builder().setImage(image).build();
        for (ApiMessageAndVersion record : records)
            delta.replay(record.message());
        return delta.apply(MetadataProvenance.EMPTY);
    }

    static void show(String kind, ApiMessageAndVersion record) {
        MetadataRecordSerde serde = MetadataRecordSerde.INSTANCE;
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(serde.recordSize(record, cache));
        serde.write(record, cache, new ByteBufferAccessor(buffer));
        StringBuilder text = new StringBuilder(kind).append(' ');
        for (byte b : buffer.array())
            text.append(String.format("%02x", b));
        System.out.println(text);
    }

    static ApiMessageAndVersion record(MetadataImage image) throws Exception {
        MetadataRecordType[] types = MetadataRecordType.values();
        while (true) {
            MetadataRecordType type = types[random.nextInt(types.length)];
            if (random.nextInt(3) == 0)
                type = random.nextBoolean() ? MetadataRecordType.PARTITION_RECORD : MetadataRecordType.PARTITION_CHANGE_RECORD;
            ApiMessage message = type.newMetadataRecord();
            org.apache.kafka.common.protocol.types.Schema[] schemas =
                (org.apache.kafka.common.protocol.types.Schema[]) message.getClass().getField("SCHEMAS").get(null);
            short version = message.highestSupportedVersion();
            RandomMessages.fill(message, schemas[version]);
            if (message instanceof TopicRecord) {
                // No controller gives an id twice, or a name to two topics.
                TopicRecord topic = (TopicRecord) message;
                if (image.topics().getTopic(topic.topicId()) != null)
                    continue;
                topic.setName("ab".charAt(IDS.indexOf(topic.topicId()) & 1) + "" + IDS.indexOf(topic.topicId()) / 2);
            }
            return new ApiMessageAndVersion(message, version);
        }
    }

    /** Small numbers and few names, so that records are often about the same things; null: anything will do. */
    static Object special(String field, Class<?> type) {
        switch (field) {
            case "topic_id": return IDS.get(random.nextInt(IDS.size()));
            case "partition_id": case "broker_id": case "controller_id": return random.nextInt(3);
            case "id": return type == int.class ? (Object) random.nextInt(3) : IDS.get(random.nextInt(IDS.size()));
            case "epoch": case "broker_epoch": return (long) random.nextInt(2);
            case "leader": return random.nextInt(5) - 2;
            case "leader_epoch": case "partition_epoch": return random.nextInt(100);
            case "leader_recovery_state": case "fenced": return type == byte.class ? (Object) (byte) (random.nextInt(3) - 1) : null;
            case "in_controlled_shutdown": return type == byte.class ? (Object) (byte) random.nextInt(2) : null;
            case "mechanism": return (byte) (1 + random.nextInt(2));
            case "resource_type": return (byte) (2 << random.nextInt(2));
            case "pattern_type": return (byte) (3 + random.nextInt(2));
            case "operation": case "permission_type": return (byte) (2 + random.nextInt(2));
            case "security_protocol": return (short) random.nextInt(4);
            case "replicas": return random.nextInt(4) == 0 ? null : Arrays.asList(random.nextInt(3), random.nextInt(3));
            case "directories": return random.nextInt(4) == 0 ? null : Arrays.asList(IDS.get(random.nextInt(2)), IDS.get(2));
            case "feature_level": return (short) random.nextInt(4);
            case "zk_migration_state": return (byte) random.nextInt(3);
            case "next_producer_id": return random.nextLong() >>> 1;
            case "value": return type == double.class ? (Object) (double) random.nextInt(1000) : null;
            case "entity_type": return new String[] {"user", "client-id", "ip"}[turn++ % 3];
            case "name": case "resource_name": case "topic_name": case "token_id": case "entity_name": case "key": case "owner":
                return type == String.class ? "ab".charAt(random.nextInt(2)) + "" + random.nextInt(2) : null;
            default: return null;
        }
    }
}
