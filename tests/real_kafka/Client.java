import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A release's own client: `create BOOTSTRAP` makes topics, `read BOOTSTRAP THREADS ANSWER` reads partitions from the earliest offset.
 *
 * create takes lines of: topic, partitions, settings (k=v,k=v). read takes lines of: topic, partition, most records to take (more
 * is a circle), and writes lines of: topic, partition, isolation level, earliest, end, records, position, stuck, offsets that were handed
 * out (0-28,136-259), error. Tabs between.
 */
public class Client {
  /** Nothing for so long: the consumer waits for ever. */
  static final long PATIENCE_MS = 5000;

  public static void main(String[] words) throws Exception {
    List<String[]> lines = new ArrayList<>();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = in.readLine()) != null; ) lines.add(line.split("\t", -1));
    if (words[0].equals("create")) create(words[1], lines);
    else read(words[1], Integer.parseInt(words[2]), words[3], lines);
    Runtime.getRuntime().halt(0);
  }

  static void create(String servers, List<String[]> lines) throws Exception {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", servers);
    List<NewTopic> topics = new ArrayList<>();
    for (String[] line : lines) {
      Map<String, String> configs = new HashMap<>();
      for (String one : line[2].split(",")) configs.put(one.substring(0, one.indexOf('=')), one.substring(one.indexOf('=') + 1));
      topics.add(new NewTopic(line[0], Integer.parseInt(line[1]), (short) 1).configs(configs));
    }
    try (AdminClient admin = AdminClient.create(settings)) { admin.createTopics(topics).all().get(); }
  }

  static KafkaConsumer<byte[], byte[]> consumer(String servers, String isolation) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", servers);
    settings.put("isolation.level", isolation);
    settings.put("auto.offset.reset", "none");
    settings.put("enable.auto.commit", "false");
    settings.put("fetch.max.wait.ms", "50");
    settings.put("max.poll.records", "100000");
    settings.put("default.api.timeout.ms", "15000");
    settings.put("retry.backoff.ms", "50");
    settings.put("reconnect.backoff.max.ms", "100");
    return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  static void read(String servers, int threads, String answer, List<String[]> lines) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    PrintStream out = new PrintStream(answer, "UTF-8");
    for (String isolation : new String[] {"read_uncommitted", "read_committed"}) {
      ThreadLocal<KafkaConsumer<byte[], byte[]>> consumers = ThreadLocal.withInitial(() -> consumer(servers, isolation));
      for (String[] line : lines)
        pool.submit(() -> {
          TopicPartition partition = new TopicPartition(line[0], Integer.parseInt(line[1]));
          String said;
          try {
            said = scan(consumers.get(), partition, Long.parseLong(line[2]));
          } catch (Throwable e) {
            said = "\t\t\t\t\t\tno answer: " + chain(e);
          }
          if (!said.endsWith("false\t")) {
            close(consumers.get());
            consumers.remove();
          }
          synchronized (out) { out.println(line[0] + "\t" + line[1] + "\t" + isolation + "\t" + said); }
        });
    }
    pool.shutdown();
    pool.awaitTermination(20, TimeUnit.MINUTES);
    out.close();
  }

  /** By a Duration; before 2.0 there were milliseconds. */
  @SuppressWarnings("unchecked")
  static ConsumerRecords<byte[], byte[]> poll(KafkaConsumer<byte[], byte[]> consumer, long millis) throws Throwable {
    try {
      try {
        return (ConsumerRecords<byte[], byte[]>) KafkaConsumer.class.getMethod("poll", Duration.class).invoke(consumer, Duration.ofMillis(millis));
      } catch (NoSuchMethodException e) {
        return (ConsumerRecords<byte[], byte[]>) KafkaConsumer.class.getMethod("poll", long.class).invoke(consumer, millis);
      }
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  static void close(KafkaConsumer<byte[], byte[]> consumer) {
    try {
      KafkaConsumer.class.getMethod("close", Duration.class).invoke(consumer, Duration.ZERO);
    } catch (ReflectiveOperationException e) {
      try {
        KafkaConsumer.class.getMethod("close", long.class, TimeUnit.class).invoke(consumer, 0L, TimeUnit.SECONDS);
      } catch (ReflectiveOperationException f) {
        throw new IllegalStateException(f);
      }
    }
  }

  static String chain(Throwable error) {
    StringBuilder said = new StringBuilder();
    int depth = 0;
    for (Throwable one = error; one != null && depth++ < 5; one = one.getCause()) said.append(said.length() > 0 ? " | " : "").append(one);
    return said.toString().replaceAll("\\s+", " ");
  }

  static String scan(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, long most) {
    List<TopicPartition> only = Collections.singletonList(partition);
    long earliest = consumer.beginningOffsets(only).get(partition), end = consumer.endOffsets(only).get(partition);
    consumer.assign(only);
    consumer.seek(partition, earliest);
    long records = 0, position = earliest, last = System.currentTimeMillis();
    boolean stuck = false;
    String error = "";
    List<long[]> handed = new ArrayList<>();
    try {
      while (position < end) {
        ConsumerRecords<byte[], byte[]> some = poll(consumer, 100);
        records += some.count();
        for (ConsumerRecord<byte[], byte[]> one : some) {
          long[] before = handed.isEmpty() ? null : handed.get(handed.size() - 1);
          if (before != null && before[1] + 1 == one.offset()) before[1]++;
          else if (handed.size() < 1000) handed.add(new long[] {one.offset(), one.offset()});
        }
        if (records > most) { error = "LOOP"; break; }
        long now = consumer.position(partition);
        if (now != position || !some.isEmpty()) { position = now; last = System.currentTimeMillis(); }
        else if (System.currentTimeMillis() - last > PATIENCE_MS) { stuck = true; break; }
      }
    } catch (Throwable e) {
      error = chain(e);
      position = consumer.position(partition);
    }
    StringBuilder offsets = new StringBuilder();
    for (long[] one : handed) offsets.append(offsets.length() > 0 ? "," : "").append(one[0]).append("-").append(one[1]);
    return earliest + "\t" + end + "\t" + records + "\t" + position + "\t" + stuck + "\t" + offsets + "\t" + error;
  }
}
