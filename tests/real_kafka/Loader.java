import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Has a release's own code load partition directories, and tells how that ended; the directories are as the loading left them.
 *
 * Standard input, one line each, tabs between: directory, log start offset, recovery point, clean (0 or 1), settings (k=v,k=v).
 * Output file (the first argument), the same order: directory, ok|offline|abort, exception, log start, log end, last stable offset,
 * leader epochs (epoch:offset,...). What a release does not tell is empty.
 */
public class Loader {
  static Class<?> find(String... names) {
    for (String name : names) try { return Class.forName(name); } catch (ClassNotFoundException e) { }
    throw new RuntimeException("there is no " + names[0]);
  }

  static Object scalaNone() throws Exception { return Class.forName("scala.Option").getMethod("empty").invoke(null); }

  static Object construct(Class<?> type, Object... arguments) throws Exception {
    for (Constructor<?> one : type.getConstructors())
      if (one.getParameterCount() == arguments.length) try { return one.newInstance(arguments); } catch (IllegalArgumentException e) { }
    throw new RuntimeException("no constructor of " + type + " takes " + arguments.length);
  }

  static Object config(Class<?> type, String settings) throws Exception {
    Properties properties = new Properties();
    for (String one : settings.split(",")) properties.put(one.substring(0, one.indexOf('=')), one.substring(one.indexOf('=') + 1));
    Constructor<?> two = null;
    for (Constructor<?> one : type.getConstructors()) {
      if (one.getParameterCount() == 1) return one.newInstance(properties);
      if (one.getParameterCount() == 2 && one.getParameterTypes()[1].getName().startsWith("scala")) two = one;
    }
    Object set = Class.forName("scala.collection.immutable.Set$").getField("MODULE$").get(null);
    return two.newInstance(properties, set.getClass().getMethod("empty").invoke(set));
  }

  static Object scheduler() throws Exception {
    Class<?> type = find("org.apache.kafka.server.util.KafkaScheduler", "kafka.utils.KafkaScheduler");
    Object made = null;
    for (Constructor<?> one : type.getConstructors()) {
      if (one.getParameterCount() == 1) made = one.newInstance(1);
      else if (one.getParameterCount() == 3 && one.getParameterTypes()[1] == String.class) made = one.newInstance(1, "loader-", true);
    }
    type.getMethod("startup").invoke(made);
    return made;
  }

  static Object stats(Class<?> type) throws Exception {
    for (Constructor<?> one : type.getConstructors()) {
      if (one.getParameterCount() == 0) return one.newInstance();
      if (one.getParameterCount() == 1 && one.getParameterTypes()[0] == boolean.class) return one.newInstance(false);
    }
    return construct(type, Optional.empty());
  }

  /** Calls the factory method, or where there is none (0.11) the constructor, with arguments by their types. */
  static Object load(Class<?> log, Object scheduler, String[] line) throws Exception {
    Method factory = null;
    for (Method one : log.getMethods())
      if (Modifier.isStatic(one.getModifiers()) && (one.getName().equals("apply") || one.getName().equals("create"))
          && one.getParameterCount() >= 9 && (factory == null || one.getParameterCount() > factory.getParameterCount())) factory = one;
    Constructor<?> constructor = factory == null ? log.getConstructors()[0] : null;
    Class<?>[] types = factory == null ? constructor.getParameterTypes() : factory.getParameterTypes();
    boolean java = log.getName().startsWith("org.");
    Object[] arguments = new Object[types.length];
    int longs = 0, ints = 0, booleans = 0;
    for (int i = 0; i < types.length; i++) {
      Class<?> type = types[i];
      switch (type.getSimpleName()) {
        case "File": arguments[i] = new File(line[0]); break;
        case "LogConfig": arguments[i] = config(type, line[4]); break;
        case "long": arguments[i] = Long.parseLong(line[1 + longs++]); break;
        case "int": arguments[i] = ints++ == 0 ? 2000000000 : 600000; break;
        // Clean shutdown; then, in Scala, whether topic ids are kept; then remote storage.
        case "boolean": arguments[i] = booleans == 0 ? line[3].equals("1") : booleans == 1 && !java; booleans++; break;
        case "Scheduler": arguments[i] = scheduler; break;
        case "BrokerTopicStats": arguments[i] = stats(type); break;
        case "Time": arguments[i] = systemTime(type); break;
        case "ProducerStateManagerConfig":
          boolean verifies = type.getConstructors()[0].getParameterCount() == 2;
          arguments[i] = verifies ? construct(type, 2000000000, false) : construct(type, 2000000000);
          break;
        case "LogDirFailureChannel": arguments[i] = construct(type, 1000); break;
        case "Option": arguments[i] = scalaNone(); break;
        case "Optional": arguments[i] = Optional.empty(); break;
        case "ConcurrentMap": arguments[i] = new ConcurrentHashMap<>(); break;
        case "LogOffsetsListener": arguments[i] = type.getField("NO_OP_OFFSETS_LISTENER").get(null); break;
        default: throw new RuntimeException("what is " + type + "?");
      }
    }
    try {
      return factory == null ? constructor.newInstance(arguments) : factory.invoke(null, arguments);
    } catch (InvocationTargetException e) {
      throw new LoadFailed(e.getCause());
    }
  }

  static Object systemTime(Class<?> type) throws Exception {
    try { return type.getField("SYSTEM").get(null); } catch (NoSuchFieldException e) { return type.getMethod("SYSTEM").invoke(null); }
  }

  static class LoadFailed extends Exception {
    LoadFailed(Throwable cause) { super(cause); }
  }

  static Object ask(Object log, String name) {
    for (Class<?> type = log.getClass(); type != null; type = type.getSuperclass())
      for (Method one : type.getDeclaredMethods())
        if (one.getName().equals(name) && one.getParameterCount() == 0) try {
          one.setAccessible(true);
          return one.invoke(log);
        } catch (Exception e) { return e.getCause() == null ? e : e.getCause(); }
    return null;
  }

  static String number(Object value) {
    if (value == null) return "";
    Matcher found = Pattern.compile("-?\\d+").matcher(String.valueOf(value));
    if (value instanceof Throwable) return "!" + value.getClass().getSimpleName();
    return found.find() ? found.group() : "";
  }

  /** The last stable offset when the high watermark is the log's end; before there was such a method, the first unstable offset. */
  static String lastStable(Object log, long end) throws Exception {
    for (Method one : log.getClass().getMethods())
      if (one.getName().equals("updateHighWatermark") && one.getParameterCount() == 1 && one.getParameterTypes()[0] == long.class) {
        try { one.invoke(log, end); } catch (InvocationTargetException e) { return "!" + e.getCause().getClass().getSimpleName(); }
        return number(ask(log, "lastStableOffset"));
      }
    Object first = ask(log, "firstUnstableOffset");
    return first == null || String.valueOf(first).equals("None") ? "" + end : number(first);
  }

  static String epochs(Object log) {
    Object cache = ask(log, "leaderEpochCache");
    if (cache != null && cache.getClass().getName().startsWith("scala.")) cache = String.valueOf(cache).equals("None") ? null : ask(cache, "get");
    if (cache instanceof Optional) cache = ((Optional<?>) cache).orElse(null);
    if (cache == null) return "";
    Object entries = ask(cache, "epochEntries");
    if (entries != null && entries.getClass().getName().startsWith("scala.")) entries = ask(entries, "toList");
    StringBuilder said = new StringBuilder();
    Matcher found = Pattern.compile("EpochEntry[\\[(](?:epoch=)?(-?\\d+), ?(?:startOffset=)?(-?\\d+)[\\])]").matcher(String.valueOf(entries));
    while (found.find()) said.append(said.length() > 0 ? "," : "").append(found.group(1)).append(':').append(found.group(2));
    return said.length() == 0 ? "-" : said.toString();
  }

  public static void main(String[] names) throws Exception {
    Class<?> log = find("kafka.log.UnifiedLog", "org.apache.kafka.storage.internals.log.UnifiedLog", "kafka.log.Log");
    Object scheduler = scheduler();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream out = new PrintStream(names[0], "UTF-8");
    for (String text; (text = in.readLine()) != null; ) {
      String[] line = text.split("\t", -1);
      String said;
      try {
        Object made = load(log, scheduler, line);
        long end = (Long) ask(made, "logEndOffset");
        said = "ok\t\t" + number(ask(made, "logStartOffset")) + "\t" + end + "\t" + lastStable(made, end) + "\t" + epochs(made);
        ask(made, "closeHandlers");
      } catch (LoadFailed e) {
        Throwable why = e.getCause();
        boolean offline = why instanceof IOException || why.getClass().getSimpleName().equals("KafkaStorageException");
        said = (offline ? "offline" : "abort") + "\t" + String.valueOf(why).replaceAll("[\\s]+", " ") + "\t\t\t\t";
      }
      out.println(line[0] + "\t" + said);
    }
    out.close();
    Runtime.getRuntime().halt(0);
  }
}
