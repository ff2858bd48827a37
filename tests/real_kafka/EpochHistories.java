import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Map;
import java.util.concurrent.ScheduledFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.server.util.Scheduler;
import org.apache.kafka.storage.internals.checkpoint.LeaderEpochCheckpointFile;
import org.apache.kafka.storage.internals.epoch.LeaderEpochFileCache;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;

/**
 * What Kafka's own LeaderEpochFileCache makes of epoch histories: a follower's cache asks a leader's, and truncates, until both know
 * the epoch of the answer.
 *
 * Standard input, one line each, tabs between: the follower's epochs (epoch:offset,...), its log end, those of the leader, its log end.
 * Output file (the first argument), the same order: the follower's log end then, and its questions with the answers
 * (asked:answered:end,...).
 */
public class EpochHistories {
  static LeaderEpochFileCache cache(String entries) throws Exception {
    File folder = Files.createTempDirectory("epochs").toFile();
    Scheduler now = (Scheduler) Proxy.newProxyInstance(EpochHistories.class.getClassLoader(), new Class<?>[] {Scheduler.class},
        (proxy, method, arguments) -> null);
    LeaderEpochFileCache made = new LeaderEpochFileCache(new TopicPartition("t", 0),
        new LeaderEpochCheckpointFile(LeaderEpochCheckpointFile.newFile(folder), new LogDirFailureChannel(1)), now);
    for (String one : entries.split(","))
      if (!one.isEmpty()) made.assign(Integer.parseInt(one.split(":")[0]), Long.parseLong(one.split(":")[1]));
    return made;
  }

  static String follow(LeaderEpochFileCache own, long end, LeaderEpochFileCache leader, long leaderEnd) {
    StringBuilder steps = new StringBuilder();
    while (true) {
      if (own.epochWithOffsets().isEmpty()) return "\t" + steps;
      int asked = own.epochWithOffsets().lastKey();
      Map.Entry<Integer, Long> answer = leader.endOffsetFor(asked, leaderEnd);
      steps.append(steps.length() == 0 ? "" : ",").append(asked + ":" + answer.getKey() + ":" + answer.getValue());
      if (answer.getValue() < 0) return "\t" + steps;
      Map.Entry<Integer, Long> known = own.endOffsetFor(answer.getKey(), end);
      if (known.getKey() < 0) return Math.min(answer.getValue(), end) + "\t" + steps;
      if (known.getKey().equals(answer.getKey())) return Math.min(Math.min(known.getValue(), answer.getValue()), end) + "\t" + steps;
      end = Math.min(known.getValue(), end);
      own.truncateFromEndAsyncFlush(end);
    }
  }

  public static void main(String[] arguments) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    try (PrintStream out = new PrintStream(arguments[0], StandardCharsets.UTF_8)) {
      for (String line; (line = lines.readLine()) != null;) {
        String[] given = line.split("\t", -1);
        out.println(follow(cache(given[0]), Long.parseLong(given[1]), cache(given[2]), Long.parseLong(given[3])));
      }
    }
  }
}
