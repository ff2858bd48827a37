import java.io.File;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.function.BiFunction;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;

/**
 * Random messages of every version of the message classes in some packages, written and turned to JSON by Kafka itself.
 *
 * Arguments: folder of the jars, seed, messages per version, package prefixes. A line each: class, apiKey or "-", version, hex, JSON or "-".
 */
public class RandomMessages {
    static Random random;
    /** A value for a field of that name and type; null: anything will do. */
    static BiFunction<String, Class<?>, Object> special = (name, type) -> null;

    public static void main(String[] args) throws Exception {
        random = new Random(Long.parseLong(args[1]));
        for (String name : classes(args[0], Arrays.asList(args).subList(3, args.length))) {
            Class<?> type = Class.forName(name);
            if (!Message.class.isAssignableFrom(type))
                continue;
            Message first = (Message) type.getConstructor().newInstance();
            Schema[] schemas = (Schema[]) type.getField("SCHEMAS").get(null);
            for (short version = first.lowestSupportedVersion(); version <= first.highestSupportedVersion(); version++)
                for (int i = 0; i < Integer.parseInt(args[2]); i++) {
                    Message message = (Message) type.getConstructor().newInstance();
                    if (i > 0)
                        fill(message, schemas[version]);
                    System.out.println(type.getSimpleName() + "\t" + key(message) + "\t" + version + "\t" + hex(message, version) + "\t" + json(message, version));
                }
        }
    }

    static Collection<String> classes(String folder, List<String> prefixes) throws Exception {
        TreeSet<String> names = new TreeSet<>();
        for (File jar : new File(folder).listFiles((dir, name) -> name.startsWith("kafka") && name.endsWith(".jar")))
            try (ZipFile zip = new ZipFile(jar)) {
                for (ZipEntry entry : (Iterable<ZipEntry>) zip.stream().map(e -> (ZipEntry) e)::iterator) {
                    String name = entry.getName().replace('/', '.').replaceAll("\\.class$", "");
                    if (entry.getName().endsWith(".class") && !name.endsWith("JsonConverter") && !name.contains("$") && prefixes.stream().anyMatch(name::startsWith))
                        names.add(name);
                }
            }
        return names;
    }

    static String key(Message message) {
        try {
            return String.valueOf(message.getClass().getMethod("apiKey").invoke(message));
        } catch (ReflectiveOperationException e) {
            return "-";
        }
    }

    static String hex(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        StringBuilder text = new StringBuilder();
        for (byte b : buffer.array())
            text.append(String.format("%02x", b));
        return text.toString();
    }

    static String json(Message message, short version) throws Exception {
        Class<?> converter;
        try {
            converter = Class.forName(message.getClass().getName() + "JsonConverter");
        } catch (ClassNotFoundException e) {
            return "-";
        }
        return converter.getMethod("write", message.getClass(), short.class).invoke(null, message, version).toString();
    }

    static void fill(Object message, Schema schema) throws Exception {
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields) {
                for (Field field : ((Map<Integer, Field>) tags((TaggedFields) bound.def.type)).values())
                    if (random.nextBoolean())
                        set(message, field);
            } else {
                set(message, bound.def);
            }
        }
    }

    static Object tags(TaggedFields tagged) throws Exception {
        java.lang.reflect.Field fields = TaggedFields.class.getDeclaredField("fields");
        fields.setAccessible(true);
        return fields.get(tagged);
    }

    static void set(Object message, Field field) throws Exception {
        StringBuilder name = new StringBuilder("set");
        for (String part : field.name.split("_"))
            name.append(Character.toUpperCase(part.charAt(0))).append(part.substring(1));
        for (Method method : message.getClass().getMethods())
            if (method.getName().equalsIgnoreCase(name.toString())) {
                Object given = special.apply(field.name, method.getParameterTypes()[0]);
                method.invoke(message, given != null ? given : value(field.type, method.getParameterTypes()[0], method.getGenericParameterTypes()[0]));
                return;
            }
        throw new IllegalStateException(message.getClass() + " has no " + name);
    }

    static Object value(org.apache.kafka.common.protocol.types.Type wire, Class<?> type, Type generic) throws Exception {
        boolean nullable = wire.isNullable();
        if (nullable && !type.isPrimitive() && random.nextInt(4) == 0)
            return null;
        if (type == boolean.class)
            return random.nextBoolean();
        if (type == byte.class || type == Byte.class)
            return (byte) number();
        if (type == short.class || type == Short.class)
            return (short) number();
        if (type == int.class || type == Integer.class)
            return wire.toString().equals("UINT16") ? (int) (number() & 0xffff) : (int) number();
        if (type == long.class || type == Long.class)
            return number();
        if (type == double.class || type == Double.class)
            return real();
        if (type == String.class)
            return text();
        if (type == byte[].class)
            return bytes();
        if (type == ByteBuffer.class)
            return ByteBuffer.wrap(bytes());
        if (type == Uuid.class)
            return random.nextInt(3) == 0 ? Uuid.ZERO_UUID : new Uuid(random.nextLong(), random.nextLong());
        if (Collection.class.isAssignableFrom(type)) {
            Type of = generic instanceof ParameterizedType ? generic : type.getGenericSuperclass();
            Class<?> element = (Class<?>) ((ParameterizedType) of).getActualTypeArguments()[0];
            Collection<Object> list = type == List.class ? new ArrayList<>() : (Collection<Object>) type.getConstructor().newInstance();
            for (int i = random.nextInt(4); i > 0; i--)
                list.add(value(wire.arrayElementType().get(), element, element));
            return list;
        }
        Object struct = type.getConstructor().newInstance();
        fill(struct, (Schema) wire);
        return struct;
    }

    static long number() {
        switch (random.nextInt(4)) {
            case 0: return random.nextInt(5) - 2;
            case 1: return random.nextLong();
            case 2: return Math.abs(random.nextInt(1000));
            default: return random.nextBoolean() ? Long.MAX_VALUE : Long.MIN_VALUE;
        }
    }

    static double real() {
        switch (random.nextInt(4)) {
            case 0: return random.nextInt(1 << 30);
            case 1: return Math.round(random.nextDouble() * 1e6) / 1e3;
            case 2: return new double[] {0.0, -0.0, 1e7, 9999999.0, 1e-3, 9.99e-4, 1e21, Double.MAX_VALUE, Double.NaN, Double.POSITIVE_INFINITY}[random.nextInt(10)];
            default: return (1L << random.nextInt(53)) * 0.125;
        }
    }

    static String text() {
        String letters = "ab\"\\/\n\t\u0001\u007f\u00e9\u20ac<&'\u2028";
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(6); i > 0; i--)
            if (random.nextInt(8) == 0)
                text.append("\ud83d\ude00");
            else
                text.append(letters.charAt(random.nextInt(letters.length())));
        return text.toString();
    }

    static byte[] bytes() {
        byte[] bytes = new byte[random.nextInt(6)];
        random.nextBytes(bytes);
        return bytes;
    }
}
